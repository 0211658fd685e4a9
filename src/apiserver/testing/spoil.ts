/** One field of a sound object made unsound. */
export interface Spoiled {
  /** `spec.containers[0].name`; keys of maps with dots are quoted: `metadata.labels["a.b/c"]`. */
  set: string;
  /** undefined: the field is taken away. */
  to: unknown;
}

type Step = string | number;

export const printPath = (steps: Step[]): string =>
  steps
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');

export function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  for (const [, name, index, key] of path.matchAll(/\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)) {
    steps.push(name ?? (index !== undefined ? Number(index) : JSON.parse(key!)));
  }
  return steps;
}

/** A copy with the change made. */
export function apply(object: object, { set, to }: Spoiled): any {
  const copy: any = structuredClone(object);
  const steps = parsePath(set);
  let at = copy;
  for (const step of steps.slice(0, -1)) at = at[step] ??= {};
  const last = steps.at(-1)!;
  if (to !== undefined) at[last] = structuredClone(to);
  else if (Array.isArray(at)) at.splice(Number(last), 1);
  else delete at[last];
  return copy;
}

/** Every field in turn, emptied, denied, doubled, or given what can hardly be right. */
export function* spoil(object: any): Generator<Spoiled> {
  yield* walk(object, []);
}

const kept = new Set(['apiVersion', 'kind']);

function* walk(value: any, steps: Step[]): Generator<Spoiled> {
  const set = printPath(steps);
  if (Array.isArray(value)) {
    if (value.length > 0) {
      yield { set, to: [] };
      yield { set: printPath([...steps, value.length]), to: value[0] };
    }
    for (const [index, item] of value.entries()) yield* walk(item, [...steps, index]);
  } else if (typeof value === 'object' && value !== null) {
    if (steps.length > 1) yield { set, to: {} };
    for (const key of Object.keys(value)) {
      if (steps.length === 0 && kept.has(key)) continue;
      if (steps.length === 0 && key === 'metadata') {
        yield* walk(value[key], [key]);
        continue;
      }
      if (steps.length === 1 && steps[0] === 'metadata' && key === 'name') {
        yield { set: printPath([...steps, key]), to: 'Bad_Name' };
        continue;
      }
      yield { set: printPath([...steps, key]), to: undefined };
      yield* walk(value[key], [...steps, key]);
    }
  } else if (typeof value === 'string') {
    for (const to of ['', 'Bad_Value!', 'other', '-1']) if (to !== value) yield { set, to };
  } else if (typeof value === 'number') {
    for (const to of [-1, 0, value + 1, 3_000_000]) yield { set, to };
  } else if (typeof value === 'boolean') {
    yield { set, to: !value };
  }
}
