/** A table that is looked up by what a client sends: `constructor` and the like are not in it. */
export const table = <T>(entries: Record<string, T>): Readonly<Record<string, T>> =>
  Object.assign(Object.create(null), entries);

/** A member of what a client sent, by a name that a client sent: what every object inherits is not in it. */
export const own = <T>(list: Record<string, T> | undefined, name: string): T | undefined =>
  list !== undefined && list !== null && Object.hasOwn(list, name) ? list[name] : undefined;
