import { describe, expect, it } from 'vitest'

import { browserName, problemWords, providerPath, wayBack } from './accounts'

describe('wayBack', () => {
  it('leads to pages of ours', () => {
    expect(wayBack('/gallery?x=1')).toBe('/gallery?x=1')
  })
  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', undefined, ['/a']])(
    'leads home instead of to %s',
    (asked) => {
      expect(wayBack(asked)).toBe('/')
    },
  )
})

describe('browserName', () => {
  it('tells browsers apart', () => {
    expect(browserName('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux')
    expect(browserName('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36')).toBe('Chrome on Windows')
    expect(browserName('')).toBe('A browser')
  })
})

describe('providerPath', () => {
  it('leads there and back to where one wanted to go', () => {
    expect(providerPath('/gallery?x=1')).toBe('/api/v1/auth/oidc/sign-in?to=%2Fgallery%3Fx%3D1')
    expect(providerPath('https://evil.example', 'a&b')).toBe('/api/v1/auth/oidc/sign-in?to=%2F&invitation=a%26b')
  })
})

describe('problemWords', () => {
  it('has words for what it knows, and some for what it does not', () => {
    expect(problemWords('provider_away')?.title).toContain('does not answer')
    expect(problemWords('made up')?.title).toBe('Signing in did not work')
    expect(problemWords('toString')?.title).toBe('Signing in did not work')
    expect(problemWords(undefined)).toBeNull()
  })
})
