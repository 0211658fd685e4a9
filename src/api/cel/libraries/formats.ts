import { isLabelValue, isQualifiedName, nameIsDns1035Label, nameIsDnsLabel, nameIsDnsSubdomain } from '../../names.ts';
import { stringFormatOf } from '../../structural-schema/formats.ts';
import type { Functions } from '../declarations.ts';
import { structOf } from '../types.ts';
import { ArrayList, noSuchOverload, type Opaque, Optional } from '../values.ts';

export class CelFormat implements Opaque {
  readonly celType = structOf('kubernetes.NamedFormat');
  readonly name: string;
  /** What its longest pattern counts for costs. */
  readonly patternSize: number;
  readonly validate: (text: string) => string[];

  constructor(name: string, patternSize: number, validate: (text: string) => string[]) {
    this.name = name;
    this.patternSize = patternSize;
    this.validate = validate;
  }
  equals(other: unknown): boolean {
    if (!(other instanceof CelFormat)) throw noSuchOverload();
    return this.name === other.name;
  }
}

function known(format: string, finding: string): (text: string) => string[] {
  const matches = stringFormatOf({ type: 'string', format })!;
  return (text) => (matches(text) ? [] : [finding]);
}

const isUri = stringFormatOf({ type: 'string', format: 'uri' })!;
const uri = (text: string) => {
  if (isUri(text)) return [];
  return [`parse ${JSON.stringify(text)}: ${text === '' ? 'empty url' : 'invalid URI for request'}`];
};

const formats: Record<string, CelFormat> = {
  dns1123Label: new CelFormat('DNS1123Label', 30, (text) => nameIsDnsLabel(text, false)),
  dns1123Subdomain: new CelFormat('DNS1123Subdomain', 60, (text) => nameIsDnsSubdomain(text, false)),
  dns1035Label: new CelFormat('DNS1035Label', 30, (text) => nameIsDns1035Label(text, false)),
  qualifiedName: new CelFormat('QualifiedName', 60, isQualifiedName),
  dns1123LabelPrefix: new CelFormat('DNS1123LabelPrefix', 30, (text) => nameIsDnsLabel(text, true)),
  dns1123SubdomainPrefix: new CelFormat('DNS1123SubdomainPrefix', 60, (text) => nameIsDnsSubdomain(text, true)),
  dns1035LabelPrefix: new CelFormat('DNS1035LabelPrefix', 30, (text) => nameIsDns1035Label(text, true)),
  labelValue: new CelFormat('LabelValue', 40, isLabelValue),
  uri: new CelFormat('URI', 1103, uri),
  uuid: new CelFormat('uuid', 71, known('uuid', 'does not match the UUID format')),
  byte: new CelFormat('byte', 84, known('byte', 'invalid base64')),
  date: new CelFormat('date', 69, known('date', 'invalid date')),
  datetime: new CelFormat('datetime', 69, known('datetime', 'invalid datetime')),
};

/** Kubernetes' format library. */
export function addFormats(functions: Functions): void {
  const type = 'kubernetes.NamedFormat';
  for (const [name, format] of Object.entries(formats)) {
    functions.add(`format.${name}`, `format.${name}`, `() ${type}`, () => format);
  }
  functions.add('format.named', 'format-named', `(string) optional(${type})`, (name: string) =>
    Object.hasOwn(formats, name) ? Optional.of(formats[name]) : Optional.none,
  );
  functions.member(
    'validate',
    'format-validate',
    `(${type}, string) optional(list(string))`,
    (format: CelFormat, text: string) => {
      const findings = format.validate(text);
      return findings.length === 0 ? Optional.none : Optional.of(new ArrayList(findings));
    },
  );
}
