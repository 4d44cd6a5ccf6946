/** Whether people sign in here, and whether this browser has. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { readDoor } from '@/api/accounts'
import type { Door } from '@/domain/accounts'

export const useDoor = defineStore('door', () => {
  const door = ref<Door | null>(null)

  /** Where the server does not answer, the page opens and says so there. */
  const isShut = computed(() => door.value !== null && door.value.authentication && !door.value.signed_in)
  const hasAccounts = computed(() => door.value?.authentication ?? false)

  async function look(): Promise<void> {
    door.value = await readDoor()
  }

  /** A refusal has shown that the session is over. */
  function noteSignedOut(): void {
    if (door.value?.authentication) door.value = { ...door.value, signed_in: false }
  }

  return { door, isShut, hasAccounts, look, noteSignedOut }
})
