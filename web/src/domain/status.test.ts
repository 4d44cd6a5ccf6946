import { expect, it } from 'vitest'

import { trouble, type Agent, type Status } from './status'

const REASON = 'CUDA was asked for, but this machine has none.'

function told(...agents: Partial<Agent>[]): Status {
  const agent: Agent = {
    name: 'local', pool: 'local', state: 'ready', runtime: 'native', device: null, seats: 4, running: 0, resident: [], reason: '', error: '',
  }
  return {
    version: '1', ready: true, queue: { queued: 0, running: 0 }, authentication: false,
    agents: agents.map((known) => ({ ...agent, ...known })),
  }
}

it('tells why nobody can draw', () => {
  expect(trouble(told({ state: 'starting', error: REASON }))).toBe(REASON)
})

it.each([
  ['somebody can draw', told({ state: 'starting', error: REASON }, {})],
  ['whoever said so is gone', told({ state: 'gone', error: REASON })],
  ['nothing is wrong', told({ state: 'starting' })],
])('is silent while %s', (_, status) => {
  expect(trouble(status)).toBe('')
})
