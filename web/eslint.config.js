import vue from 'eslint-plugin-vue'
import typescript from 'typescript-eslint'

/** The rooms of the page, from the innermost outwards. A room imports only what stands before it. */
const rooms = ['domain', 'api', 'stores', 'composables', 'components', 'views']

/** What nobody outside api/ may touch: the network has one door. */
const network = ['axios', 'socket.io-client', 'socket.io-parser'].map((name) => ({
  name,
  message: 'Only api/ touches the network.',
}))

const framework = ['vue', 'pinia', 'vue-router', '@vueuse/core', '@tanstack/vue-query', '@nuxt/ui'].map((name) => ({
  name,
  message: 'domain/ is pure TypeScript.',
}))

function lawOf(room, index) {
  const outer = rooms.slice(index + 1)
  const inner = rooms.slice(0, index).join(', ') || 'nothing'
  return {
    name: `rooms/${room}`,
    files: [`src/${room}/**/*.{ts,vue}`],
    rules: {
      'no-restricted-imports': ['error', {
        paths: [...(room === 'api' ? [] : network), ...(room === 'domain' ? framework : [])],
        patterns: outer.length
          ? [{ regex: `^(@|\\.\\.)/(${outer.join('|')})(/|$)`, message: `${room}/ may only import from: ${inner}.` }]
          : [],
      }],
    },
  }
}

export default typescript.config(
  { ignores: ['node_modules/**', 'dist/**'] },
  ...typescript.configs.strict,
  ...vue.configs['flat/recommended'],
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: typescript.parser } } },
  {
    rules: {
      // Layout is the author's; these say nothing about correctness.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/html-indent': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/attributes-order': 'off',
      'vue/no-v-html': 'error',
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/no-unused-refs': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 400 }],
    },
  },
  {
    files: ['src/**/*.{ts,vue}'],
    ignores: ['src/api/**'],
    rules: {
      'no-restricted-globals': ['error', 'fetch', 'EventSource', 'WebSocket', 'XMLHttpRequest'],
    },
  },
  ...rooms.map(lawOf),
)
