/** A deep copy of a JSON value; several times faster than structuredClone. */
export function cloneJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const list = new Array(value.length);
    for (let i = 0; i < value.length; i++) list[i] = cloneJson(value[i]);
    return list as T;
  }
  const copy: any = {};
  for (const key in value) {
    if (key === '__proto__') {
      Object.defineProperty(copy, key, {
        value: cloneJson(value[key]),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else {
      copy[key] = cloneJson(value[key]);
    }
  }
  return copy;
}

/** Sets a field whatever its name: plain assignment would take `__proto__` for something else. */
export function setOwn(object: any, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[name] = value;
  }
}
