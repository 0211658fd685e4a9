/** One place where two answers differ; `<absent>` stands for nothing. */
export interface Difference {
  /** `status`, `header vary`, `body.items[0].metadata.name` */
  where: string;
  kubernetes: string;
  skypod: string;
}

const ABSENT = '<absent>';

/** Lists whose order means nothing are compared by what names their members. */
const memberKeys = ['groupVersion', 'name', 'group', 'version', 'resource', 'kind'];

export function compareJson(
  where: string,
  kubernetes: unknown,
  skypod: unknown,
  options: { unordered?: boolean } = {},
): Difference[] {
  if (Object.is(kubernetes, skypod)) return [];
  if (isMap(kubernetes) && isMap(skypod)) {
    const names = new Set([...Object.keys(kubernetes), ...Object.keys(skypod)]);
    return [...names].flatMap((name) => compareJson(member(where, name), kubernetes[name], skypod[name], options));
  }
  if (Array.isArray(kubernetes) && Array.isArray(skypod)) {
    if (options.unordered) {
      const [left, right] = [byName(kubernetes), byName(skypod)];
      if (left !== undefined && right !== undefined) return compareJson(where, left, right, options);
    }
    const length = Math.max(kubernetes.length, skypod.length);
    return Array.from({ length }, (_, index) =>
      compareJson(`${where}[${index}]`, kubernetes[index], skypod[index], options),
    ).flat();
  }
  return [{ where, kubernetes: show(kubernetes), skypod: show(skypod) }];
}

export function compareValue(where: string, kubernetes: unknown, skypod: unknown): Difference[] {
  return kubernetes === skypod ? [] : [{ where, kubernetes: show(kubernetes), skypod: show(skypod) }];
}

function show(value: unknown): string {
  if (value === undefined) return ABSENT;
  const text = JSON.stringify(value);
  return text.length > 1500 ? `${text.slice(0, 1500)}…` : text;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const member = (where: string, name: string) => (/^[\w$-]+$/.test(name) ? `${where}.${name}` : `${where}[${name}]`);

/** A list as a map from its members' names; undefined when they have none of their own. */
function byName(list: unknown[]): Record<string, unknown> | undefined {
  if (list.length === 0) return {};
  if (list.every((one) => typeof one === 'string')) return Object.fromEntries(list.map((one) => [one, one]));
  if (!list.every(isMap)) return undefined;
  for (const count of [1, 2, 3]) {
    for (const key of memberKeys) {
      const keys = memberKeys.filter((one) => list.every((entry) => one in entry));
      const used = [key, ...keys.filter((one) => one !== key)].slice(0, count);
      if (!list.every((entry) => key in entry)) continue;
      const names = list.map((entry) => used.map((one) => nameOf(entry[one])).join(' '));
      if (new Set(names).size === list.length) return Object.fromEntries(names.map((name, at) => [name, list[at]]));
    }
  }
  return undefined;
}

const nameOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
