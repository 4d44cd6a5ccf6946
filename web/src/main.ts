import './styles/main.css'

import ui from '@nuxt/ui/vue-plugin'
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'

import { getStatus } from './api/catalogue'
import App from './App.vue'
import { ApiFailure } from './domain/failures'
import { fetchScreens, router } from './router'

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

createApp(App)
  .use(createPinia())
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
