import ui from '@nuxt/ui/vite'
import vue from '@vitejs/plugin-vue'
import { fileURLToPath, URL } from 'node:url'
import { defineConfig } from 'vitest/config'

import { mockedServer } from './mock/server.ts'
import { preloadFonts } from './preload.ts'

/** The running server that `npm run dev` talks to. */
const SERVER = process.env.STABLEHAND_URL ?? 'http://127.0.0.1:7868'

export default defineConfig(({ mode }) => ({
  plugins: [
    vue(),
    ui({
      // Every name is imported where it is used, so that a reader sees where it comes from.
      autoImport: false,
      components: false,
      dts: false,
      colorMode: true,
      // Icons that the source names are compiled in; nothing is fetched from an icon service.
      icon: { clientBundle: { scan: true } },
      ui: { colors: { primary: 'loden', secondary: 'ember', neutral: 'stall' as 'stone' } },
    }),
    preloadFonts(['figtree-latin-wght-normal', 'bitter-latin-wght-normal']),
    mode === 'mocked' && mockedServer(),
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: fileURLToPath(new URL('../src/stablehand/static', import.meta.url)),
    emptyOutDir: true,
    // Inlined fonts and pictures would need data: URLs that the content security policy refuses.
    assetsInlineLimit: 0,
  },
  server: {
    proxy: mode === 'mocked' ? undefined : {
      '/api': SERVER,
      '/openapi': SERVER,
      '/shared': SERVER,
      '/socket.io': { target: SERVER, ws: true },
    },
  },
  // Tests that need a document say so in their first line; starting one costs more than most tests do.
  test: { environment: 'node', include: ['src/**/*.test.ts'], setupFiles: ['./vitest.setup.ts'] },
}))
