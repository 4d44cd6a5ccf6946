/** The one HTTP client of the page: our own origin, our error shape. */

import axios, { isAxiosError, type AxiosRequestConfig } from 'axios'

import { ApiFailure, failureFrom, UNREACHABLE } from '@/domain/failures'

import { readJson, writeJson } from './json'

const BASE = '/api/v1'

const client = axios.create({
  baseURL: BASE,
  timeout: 30_000,
  headers: { 'Content-Type': 'application/json' },
  transformRequest: (body: unknown) => (body === undefined || body instanceof Blob ? body : writeJson(body)),
  transformResponse: (text: unknown) => readIfJson(text),
})

let noteSignedOut: (() => void) | undefined

/** Has `listener` called whenever the server says that nobody is signed in. */
export function onSignedOut(listener: () => void): void {
  noteSignedOut = listener
}

/** A body, and what stands for it when an edit shall rest on it. */
export interface Tagged<T> {
  body: T
  etag: string
}

/** The header by which an edit is made only on what was looked at; `etag` empty: whatever it is like now. */
export function restingOn(etag: string): Record<string, string> {
  return etag ? { 'If-Match': etag } : {}
}

/** Sends a request and returns its body; raises ApiFailure and nothing else. */
export async function request<T>(config: AxiosRequestConfig): Promise<T> {
  return (await requestTagged<T>(config)).body
}

/** The same, with the answer's ETag. */
export async function requestTagged<T>(config: AxiosRequestConfig): Promise<Tagged<T>> {
  try {
    const { data, headers } = await client.request<T>(config)
    return { body: data, etag: String(headers.etag ?? '') }
  } catch (error) {
    const failure = asFailure(error)
    if (failure instanceof ApiFailure && failure.code === 'unauthorized') noteSignedOut?.()
    throw failure
  }
}

/** The address of something the browser fetches by itself, such as a picture. */
export function addressOf(path: string): string {
  return `${BASE}${path}`
}

function readIfJson(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return undefined
  try {
    return readJson(text)
  } catch {
    // A proxy's error page: failureFrom says its status, and a success without JSON has no body to give.
    return undefined
  }
}

function asFailure(error: unknown): unknown {
  if (!isAxiosError(error)) return error
  if (!error.response) return new ApiFailure(UNREACHABLE)
  return failureFrom(error.response.data, error.response.status)
}
