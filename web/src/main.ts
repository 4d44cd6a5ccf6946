import './styles/main.css'

import ui from '@nuxt/ui/vue-plugin'
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'

import { getStatus } from './api/catalogue'
import App from './App.vue'
import { onSignedOut } from './api/http'
import { ApiFailure } from './domain/failures'
import { fetchScreens, guard, router } from './router'
import { useDoor } from './stores/door'

/** A refusal stays one; only silence and the server's own trouble are worth asking again. */
function worthAskingAgain(failures: number, error: Error): boolean {
  return failures < 3 && (!(error instanceof ApiFailure) || error.status === 0 || error.status >= 500)
}

/**
 * A newer page has replaced this one on the server, and the piece asked for went with it. While the server does not
 * answer at all, a reload would lose the page that still stands.
 */
function reloadIfAnswered(): void {
  void getStatus().then(
    () => window.location.reload(),
    () => undefined,
  )
}

const app = createApp(App).use(createPinia())

const door = useDoor()
guard(async () => {
  try {
    if (door.door === null) await door.look()
  } catch (error) {
    // No answer: the studio opens and says so.
    if (!(error instanceof ApiFailure)) throw error
  }
  return door.isShut
})
onSignedOut(() => {
  door.noteSignedOut()
  const here = router.currentRoute.value
  if (door.isShut && !here.meta.open) void router.replace({ name: 'sign-in', query: { to: here.fullPath } })
})

app
  .use(router)
  .use(VueQueryPlugin, {
    queryClient: new QueryClient({ defaultOptions: { queries: { retry: worthAskingAgain } } }),
  })
  .use(ui)
  .mount('#app')

// Only then: a reload for what was merely fetched ahead could go round and round.
void router
  .isReady()
  .then(fetchScreens)
  .then(() => window.addEventListener('vite:preloadError', reloadIfAnswered))
