/** A refusal by the server, or the lack of an answer, in the one shape the page shows. */

export class ApiFailure extends Error {
  readonly code: string
  readonly hint: string
  /** Field of the request → what it must be. */
  readonly fields: Readonly<Record<string, string>>
  /** HTTP status; 0 when no answer came. */
  readonly status: number

  constructor(told: { code: string; message: string; hint?: string; fields?: Record<string, string>; status: number }) {
    super(told.message)
    this.name = 'ApiFailure'
    this.code = told.code
    this.hint = told.hint ?? ''
    this.fields = told.fields ?? {}
    this.status = told.status
  }
}

export const UNREACHABLE = {
  code: 'unreachable',
  message: 'The server does not answer.',
  hint: 'See whether it is still running; nothing you wrote is lost.',
  status: 0,
}

/** As the server says it. */
export const OVERTAKEN = { code: 'changed_meanwhile', message: 'Somebody has changed this since you looked at it.', status: 412 }

/** Whether an edit was refused because somebody else has made one since. */
export function isOvertaken(refusal: ApiFailure | null): boolean {
  return refusal?.code === OVERTAKEN.code
}

/** Reads an answer's body; anything but our error shape becomes a plain sentence with its status. */
export function failureFrom(body: unknown, status: number): ApiFailure {
  const error = isRecord(body) && isRecord(body.error) ? body.error : null
  if (error && typeof error.code === 'string' && typeof error.message === 'string') {
    return new ApiFailure({
      code: error.code,
      message: error.message,
      hint: typeof error.hint === 'string' ? error.hint : '',
      fields: isRecord(error.fields) ? textsOf(error.fields) : {},
      status,
    })
  }
  return new ApiFailure({
    code: 'unexpected_answer',
    message: `The server answered with status ${status}.`,
    hint: 'Try again; if it stays so, its log says why.',
    status,
  })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textsOf(fields: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, String(text)]))
}
