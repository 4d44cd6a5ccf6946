import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

import CreateView from './views/CreateView.vue'

const screens = {
  queue: () => import('./views/QueueView.vue'),
  gallery: () => import('./views/GalleryView.vue'),
  agents: () => import('./views/AgentsView.vue'),
}

/** Screens for people who have not signed in: without the studio around them. */
const open = { open: true }

/** Fetches the other screens ahead of need: they open at once, and even while the server is away. */
export async function fetchScreens(): Promise<void> {
  // One that does not come is asked for again when it is gone to.
  await Promise.allSettled(Object.values(screens).map((screen) => screen()))
}

export const routes: RouteRecordRaw[] = [
  { path: '/', name: 'create', component: CreateView, meta: { title: 'Create' } },
  { path: '/queue', name: 'queue', component: screens.queue, meta: { title: 'Queue' } },
  {
    path: '/gallery/trash/:id?',
    name: 'trash',
    component: screens.gallery,
    props: { trashed: true },
    meta: { title: 'Trash' },
  },
  {
    path: '/gallery/:id?',
    name: 'gallery',
    component: screens.gallery,
    props: { trashed: false },
    meta: { title: 'Gallery' },
  },
  { path: '/agents', name: 'agents', component: screens.agents, meta: { title: 'Agents' } },
  { path: '/admin/accounts', name: 'accounts', component: () => import('./views/AccountsView.vue'), meta: { title: 'Accounts' } },
  { path: '/admin/invitations', name: 'invitations', component: () => import('./views/InvitationsView.vue'), meta: { title: 'Invitations' } },
  { path: '/admin/usage', name: 'usage', component: () => import('./views/UsageView.vue'), meta: { title: 'Usage' } },
  { path: '/admin/log', name: 'log', component: () => import('./views/LogView.vue'), meta: { title: 'Log' } },
  { path: '/usage', name: 'own-usage', component: () => import('./views/OwnUsageView.vue'), meta: { title: 'Your usage' } },
  { path: '/account', name: 'account', component: () => import('./views/AccountView.vue'), meta: { title: 'Account' } },
  { path: '/account/webhooks', name: 'webhooks', component: () => import('./views/WebhooksView.vue'), meta: { title: 'Webhooks' } },
  { path: '/sign-in', name: 'sign-in', component: () => import('./views/SignInView.vue'), meta: { title: 'Sign in', ...open } },
  { path: '/sign-up', name: 'sign-up', component: () => import('./views/SignUpView.vue'), meta: { title: 'Sign up', ...open } },
  { path: '/claim', name: 'claim', component: () => import('./views/ClaimView.vue'), meta: { title: 'Claim', ...open } },
  {
    path: '/confirm',
    name: 'confirm',
    component: () => import('./views/LetterView.vue'),
    props: { wanted: 'confirmation' },
    meta: { title: 'Confirm your address', ...open },
  },
  {
    path: '/forgot',
    name: 'forgot',
    component: () => import('./views/LetterView.vue'),
    props: { wanted: 'reset' },
    meta: { title: 'Forgot the password', ...open },
  },
  { path: '/reset', name: 'reset', component: () => import('./views/ResetView.vue'), meta: { title: 'New password', ...open } },
  { path: '/:rest(.*)*', name: 'lost', component: () => import('./views/LostView.vue'), meta: { title: 'Nothing here' } },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  // Within one screen (the viewer opens and closes by the address) the list behind stays where it is.
  scrollBehavior: (to, from, saved) => saved ?? (to.name === from.name ? false : { top: 0 }),
})

/** Leads those who must sign in there, and back afterwards. */
export function guard(isShut: () => Promise<boolean>): void {
  router.beforeEach(async (to) => {
    if (to.meta.open || !(await isShut())) return true
    return { name: 'sign-in', query: to.fullPath === '/' ? {} : { to: to.fullPath } }
  })
}
