import { expect, it } from 'vitest'

import { failureFrom } from './failures'

it('reads the error shape of the API', () => {
  const failure = failureFrom(
    { error: { code: 'invalid_fields', message: 'Not valid: steps.', hint: 'Correct it.', fields: { steps: '1 to 150' } } },
    422,
  )
  expect(failure).toMatchObject({ code: 'invalid_fields', hint: 'Correct it.', fields: { steps: '1 to 150' }, status: 422 })
})

it.each([[undefined], ['<html>Bad gateway</html>'], [{ error: 'no' }], [[]]])('makes a sentence of %j', (body) => {
  expect(failureFrom(body, 502)).toMatchObject({ code: 'unexpected_answer', message: 'The server answered with status 502.' })
})
