import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

import CreateView from './views/CreateView.vue'

export const routes: RouteRecordRaw[] = [
  { path: '/', name: 'create', component: CreateView, meta: { title: 'Create' } },
  { path: '/queue', name: 'queue', component: () => import('./views/QueueView.vue'), meta: { title: 'Queue' } },
  {
    path: '/gallery/trash/:id?',
    name: 'trash',
    component: () => import('./views/GalleryView.vue'),
    props: { trashed: true },
    meta: { title: 'Trash' },
  },
  {
    path: '/gallery/:id?',
    name: 'gallery',
    component: () => import('./views/GalleryView.vue'),
    props: { trashed: false },
    meta: { title: 'Gallery' },
  },
  { path: '/:rest(.*)*', name: 'lost', component: () => import('./views/LostView.vue'), meta: { title: 'Nothing here' } },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  // Within one screen (the viewer opens and closes by the address) the list behind stays where it is.
  scrollBehavior: (to, from, saved) => saved ?? (to.name === from.name ? false : { top: 0 }),
})
