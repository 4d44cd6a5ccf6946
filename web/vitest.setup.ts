import { vi } from 'vitest'

// A unit test that reaches for the network is a mistake in the test.
vi.stubGlobal('fetch', () => Promise.reject(new Error('A unit test reached for the network.')))
