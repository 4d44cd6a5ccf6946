/** Pictures that are chosen in a list, to do something with all of them. */

export interface Selection {
  readonly ids: ReadonlySet<string>
  /** From where a stretch of the list is chosen: the last one that was touched. */
  readonly anchor: string | null
}

export const NONE: Selection = { ids: new Set(), anchor: null }

/** Chooses one, or leaves it out again. */
export function toggled(selection: Selection, id: string): Selection {
  const ids = new Set(selection.ids)
  if (!ids.delete(id)) ids.add(id)
  return { ids, anchor: id }
}

/** Chooses all from the one that was touched last to this one; `list`: ids as they stand. */
export function stretched(selection: Selection, list: readonly string[], id: string): Selection {
  const to = list.indexOf(id)
  const from = selection.anchor === null ? to : list.indexOf(selection.anchor)
  if (to < 0) return selection
  const [first, last] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)]
  return { ids: new Set([...selection.ids, ...list.slice(first, last + 1)]), anchor: id }
}

export function everyOne(list: readonly string[]): Selection {
  return { ids: new Set(list), anchor: list.at(-1) ?? null }
}

/** The chosen ones in the order of the list; what is not in it any more is not chosen any more. */
export function chosenIn(selection: Selection, list: readonly string[]): string[] {
  return list.filter((id) => selection.ids.has(id))
}
