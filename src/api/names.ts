/**
 * Validators of names: each gives what is wrong, in upstream's words, or an empty list.
 * Source: apimachinery's pkg/util/validation and pkg/api/validate/content.
 */
const noFindings: string[] = [];

const maximumLength = (length: number): string => `must be no more than ${length} characters`;
const maximumBytes = (length: number): string => `must be no more than ${length} bytes`;
const MUST_NOT_BE_EMPTY = 'must be non-empty';
export const inclusiveRange = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

function regexFinding(message: string, regex: string, ...examples: string[]): string {
  const quoted = examples.map((example) => `'${example}', `).join(' or ');
  return examples.length === 0
    ? `${message} (regex used for validation is '${regex}')`
    : `${message} (e.g. ${quoted}regex used for validation is '${regex}')`;
}

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsLabelPattern = new RegExp(`^${dnsLabel}$`);
const dnsSubdomain = `${dnsLabel}(\\.${dnsLabel})*`;
/** As the regular expression says, in a fraction of its time: a name may be megabytes long. */
function isDnsSubdomain(value: string): boolean {
  // Labels begin and end with a letter or a digit.
  let wasAlphanumeric = false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39)) wasAlphanumeric = true;
    else if (code === 0x2e && wasAlphanumeric) wasAlphanumeric = false;
    else if (code === 0x2d && at > 0 && value.charCodeAt(at - 1) !== 0x2e) wasAlphanumeric = false;
    else return false;
  }
  return wasAlphanumeric;
}
const dns1035Label = '[a-z]([-a-z0-9]*[a-z0-9])?';
const dns1035Pattern = new RegExp(`^${dns1035Label}$`);
const labelKey = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelKeyPattern = new RegExp(`^${labelKey}$`);
const labelValue = `(${labelKey})?`;
const labelValuePattern = new RegExp(`^${labelValue}$`);

export function isDns1123Label(value: string): string[] {
  if (value.length <= 63 && dnsLabelPattern.test(value)) return noFindings;
  const findings: string[] = [];
  if (value.length > 63) findings.push(maximumLength(63));
  if (!dnsLabelPattern.test(value)) {
    findings.push(
      isDnsSubdomain(value)
        ? 'must not contain dots'
        : regexFinding(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            dnsLabel,
            'my-name',
            '123-abc',
          ),
    );
  }
  return findings;
}

export function isDns1123Subdomain(value: string): string[] {
  if (value.length <= 253 && isDnsSubdomain(value)) return noFindings;
  const findings: string[] = [];
  if (value.length > 253) findings.push(maximumLength(253));
  if (!isDnsSubdomain(value)) {
    findings.push(
      regexFinding(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        dnsSubdomain,
        'example.com',
      ),
    );
  }
  return findings;
}

const searchLabel = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const searchPath = `${searchLabel}(\\.${searchLabel})*`;
const searchPathPattern = new RegExp(`^${searchPath}$`);

/** A subdomain with underscores: what resolvers may search. */
export function isSearchPath(value: string): string[] {
  if (value.length <= 253 && searchPathPattern.test(value)) return noFindings;
  const findings: string[] = [];
  if (value.length > 253) findings.push(maximumLength(253));
  if (!searchPathPattern.test(value)) {
    findings.push(
      regexFinding(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
        searchPath,
        'example.com',
      ),
    );
  }
  return findings;
}

export function isDns1035Label(value: string): string[] {
  if (value.length <= 63 && dns1035Pattern.test(value)) return noFindings;
  const findings: string[] = [];
  if (value.length > 63) findings.push(maximumLength(63));
  if (!dns1035Pattern.test(value)) {
    findings.push(
      regexFinding(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        dns1035Label,
        'my-name',
        'abc-123',
      ),
    );
  }
  return findings;
}

export function isWildcardDns1123Subdomain(value: string): string[] {
  const wildcard = `\\*\\.${dnsSubdomain}`;
  const findings: string[] = [];
  if (value.length > 253) findings.push(maximumLength(253));
  if (!new RegExp(`^${wildcard}$`).test(value)) {
    findings.push(
      regexFinding(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        wildcard,
        '*.example.com',
      ),
    );
  }
  return findings;
}

/** Keys of labels and annotations, finalizers, resource names: `prefix/name`. */
export function isQualifiedName(value: string): string[] {
  const slash = value.indexOf('/');
  if (slash < 0 && value.length <= 63 && labelKeyPattern.test(value)) return noFindings;
  const pattern = (prefix: string) =>
    prefix +
    regexFinding(
      "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      labelKey,
      'MyName',
      'my.name',
      '123-abc',
    );
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `${pattern('a valid label key ')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const findings: string[] = [];
  const name = parts.length === 2 ? parts[1]! : parts[0]!;
  if (parts.length === 2) {
    if (parts[0] === '') findings.push(`prefix part ${MUST_NOT_BE_EMPTY}`);
    else
      findings.push(
        ...isDns1123Subdomain(parts[0]!).map((finding) => `prefix part ${finding.replace(/characters$/, 'bytes')}`),
      );
  }
  if (name === '') findings.push(`name part ${MUST_NOT_BE_EMPTY}`);
  else if (name.length > 63) findings.push(`name part ${maximumBytes(63)}`);
  if (!labelKeyPattern.test(name)) findings.push(pattern('name part '));
  return findings;
}

export function isLabelValue(value: string): string[] {
  if (value.length <= 63 && labelValuePattern.test(value)) return noFindings;
  const findings: string[] = [];
  if (value.length > 63) findings.push(maximumBytes(63));
  if (!labelValuePattern.test(value)) {
    findings.push(
      regexFinding(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        labelValue,
        'MyValue',
        'my_value',
        '12345',
      ),
    );
  }
  return findings;
}

/** Environment variables: any printable ASCII but `=`. */
export function isEnvironmentVariableName(value: string): string[] {
  if (value === '') return [`environment variable name ${MUST_NOT_BE_EMPTY}`];
  if (/^[ -<>-~]+$/.test(value)) return noFindings;
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function isConfigMapKey(value: string): string[] {
  const findings: string[] = [];
  if (value.length > 253) findings.push(maximumLength(253));
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    findings.push(
      regexFinding(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        '[-._a-zA-Z0-9]+',
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  }
  if (value === '.') findings.push("must not be '.'");
  else if (value === '..') findings.push("must not be '..'");
  else if (value.startsWith('..')) findings.push("must not start with '..'");
  return findings;
}

export const isPortNumber = (port: number): string[] =>
  port >= 1 && port <= 65535 ? noFindings : [inclusiveRange(1, 65535)];

export function isPortName(value: string): string[] {
  const findings: string[] = [];
  if (value.length > 15) findings.push(maximumLength(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    findings.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) findings.push('must contain at least one letter (a-z)');
  if (value.includes('--')) findings.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) findings.push('must not begin or end with a hyphen');
  return findings;
}

export const isPercent = (value: string): string[] =>
  /^[0-9]+%$/.test(value)
    ? noFindings
    : [
        regexFinding(
          "a valid percent string must be a numeric string followed by an ending '%'",
          '[0-9]+%',
          '1%',
          '93%',
        ),
      ];

export const isHttpHeaderName = (value: string): string[] =>
  /^[-A-Za-z0-9]+$/.test(value)
    ? noFindings
    : [
        regexFinding(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          '[-A-Za-z0-9]+',
          'X-Header-Name',
        ),
      ];

/** RBAC's names: anything that can stand as one segment of a path. */
export function isPathSegmentName(value: string, isPrefix = false): string[] {
  if (!isPrefix && (value === '.' || value === '..')) return [`may not be '${value}'`];
  const findings: string[] = [];
  for (const illegal of ['/', '%']) if (value.includes(illegal)) findings.push(`may not contain '${illegal}'`);
  return findings;
}

// A generateName ends in what a suffix will follow, so a dash at its end is fine.
const maskTrailingDash = (name: string): string =>
  name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;

export const nameIsDnsSubdomain = (name: string, isPrefix: boolean): string[] =>
  isDns1123Subdomain(isPrefix ? maskTrailingDash(name) : name);
export const nameIsDnsLabel = (name: string, isPrefix: boolean): string[] =>
  isDns1123Label(isPrefix ? maskTrailingDash(name) : name);
export const nameIsDns1035Label = (name: string, isPrefix: boolean): string[] =>
  isDns1035Label(isPrefix ? maskTrailingDash(name) : name);
