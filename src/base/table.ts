/** A table that is looked up by what a client sends: `constructor` and the like are not in it. */
export const table = <T>(entries: Record<string, T>): Readonly<Record<string, T>> =>
  Object.assign(Object.create(null), entries);
