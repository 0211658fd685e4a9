/** Where a finding is; segments are added innermost first while the walk unwinds, so a clean walk pays nothing. */
interface Issue {
  path: string[];
  /** Innermost Go struct, for type errors. */
  struct?: string;
  wrongType?: { value: string; goType: string };
  message?: string;
}

const isUnknown = ({ wrongType, message }: Issue): boolean => wrongType === undefined && message === undefined;

const MAP_KEY = '\0';
const EMBEDDED = '\x01';
export const indexSegment = (index: number): string => `[${index}]`;
export const mapKeySegment = (key: string): string => MAP_KEY + key;
/** A struct a field is embedded through: Go names it in type errors, and nowhere else. */
export const embeddedSegment = (struct: string): string => EMBEDDED + struct;

/** Only the first error is told; a body may hold a million. */
const errorsKept = 100;
const unknownKept = 1000;
/** As upstream's reader of JSON: no more of what is only strictly wrong. Source: sigs.k8s.io/json. */
export const strictErrorsKept = 100;

export class DecodeIssues {
  readonly strict: boolean;
  readonly found: Issue[] = [];

  readonly #unknownLimit: number;
  #unknown = 0;
  #errors = 0;

  constructor(strict: boolean, unknownLimit: number = unknownKept) {
    this.strict = strict;
    this.#unknownLimit = unknownLimit;
  }

  unknownField(name: string): void {
    if (this.#unknown++ < this.#unknownLimit) this.found.push({ path: [name] });
  }

  /** Of all findings since there were `count`. */
  forgetUnknown(count: number): void {
    const kept = this.found.slice(count).filter((issue) => !isUnknown(issue));
    this.found.splice(count, this.found.length - count, ...kept);
  }

  wrongType(value: unknown, goType: string, detail = ''): void {
    if (this.#errors++ >= errorsKept) return;
    this.found.push({ path: [], wrongType: { value: describe(value) + detail, goType } });
  }

  /** A type's own parser refused the value. */
  refused(message: string): void {
    if (this.#errors++ >= errorsKept) return;
    this.found.push({ path: [], message });
  }

  /** Puts `segment` in front of all findings since there were `count`. */
  within(count: number, segment: string, struct?: string): void {
    for (let i = count; i < this.found.length; i++) {
      const issue = this.found[i]!;
      issue.path.push(segment);
      if (struct !== undefined) issue.struct ??= struct;
    }
  }

  unknownFields(): string[] {
    const fields: string[] = [];
    for (const issue of this.found) {
      if (isUnknown(issue)) fields.push(`unknown field ${JSON.stringify(pathOf(issue.path))}`);
    }
    return fields;
  }

  errors(): string[] {
    const errors: string[] = [];
    for (const { path, struct, wrongType, message } of this.found) {
      if (message !== undefined) errors.push(message);
      if (wrongType === undefined) continue;
      // Go names fields only: neither indices nor map keys.
      const fields = path
        .filter((segment) => segment[0] !== '[' && segment[0] !== MAP_KEY)
        .map((segment) => (segment[0] === EMBEDDED ? segment.slice(1) : segment))
        .reverse();
      const where = struct === undefined ? `Go value of type` : `Go struct field ${struct}.${fields.join('.')} of type`;
      errors.push(`json: cannot unmarshal ${wrongType.value} into ${where} ${wrongType.goType}`);
    }
    return errors;
  }
}

function pathOf(innermostFirst: string[]): string {
  let path = '';
  for (let i = innermostFirst.length - 1; i >= 0; i--) {
    const segment = innermostFirst[i]!;
    if (segment[0] === EMBEDDED) continue;
    if (segment[0] === '[') path += segment;
    else path += (path === '' ? '' : '.') + (segment[0] === MAP_KEY ? segment.slice(1) : segment);
  }
  return path;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
