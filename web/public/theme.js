// Runs before the first paint, so that a dark page never flashes white. An own file, because the
// content security policy allows no inline script. The key is the one VueUse's useColorMode writes.
;(() => {
  const chosen = localStorage.getItem('vueuse-color-scheme')
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
})()
