import { isDns1123Subdomain, isQualifiedName } from '../names.ts';
import type { Findings } from './findings.ts';

const cIdentifier = '[A-Za-z_][A-Za-z0-9_]*';
const cIdentifierPattern = new RegExp(`^${cIdentifier}$`);
const C_IDENTIFIER_FINDING = `a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '${cIdentifier}')`;
const longestIdentifier = 32;
const mostBindingConditions = 4;

export function validateDriver(driver: string | undefined, path: string, findings: Findings): void {
  if (!driver) {
    findings.required(path);
    return;
  }
  if (driver.length > 63) findings.tooLong(path, 63);
  findings.invalidEach(path, driver, isDns1123Subdomain(driver.toLowerCase()));
}

/** Of attributes and capacities: `ID` or `DOMAIN/ID`. Names with more slashes pass upstream too. */
export function validateQualifiedName(name: string, path: string, findings: Findings): void {
  const [first = '', second, ...others] = name.split('/');
  if (second === undefined) {
    validateIdentifier(first, path, findings);
    return;
  }
  if (others.length > 0) return;
  if (first === '') findings.invalid(path, '', 'the domain must not be empty');
  else validateDriver(first, path, findings);
  if (second === '') findings.invalid(path, '', 'the name must not be empty');
  else validateIdentifier(second, path, findings);
}

export function validateFullyQualifiedName(name: string, path: string, findings: Findings): void {
  validateQualifiedName(name, path, findings);
  if (!name.includes('/')) {
    findings.invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash');
  }
}

function validateIdentifier(id: string, path: string, findings: Findings): void {
  if (Buffer.byteLength(id) > longestIdentifier) findings.tooLong(path, longestIdentifier);
  if (!cIdentifierPattern.test(id)) findings.invalid(path, id, C_IDENTIFIER_FINDING);
}

interface Binding {
  bindingConditions?: string[];
  bindingFailureConditions?: string[];
}

/** Source: validateDeviceBindingParameters of pkg/apis/resource/validation. */
export function validateBinding(device: Binding, path: string, findings: Findings): void {
  const { bindingConditions = [], bindingFailureConditions = [] } = device;
  const lists = { bindingConditions, bindingFailureConditions };
  for (const [field, list] of Object.entries(lists)) {
    const at = `${path}.${field}`;
    if (list.length > mostBindingConditions) findings.tooMany(at, list.length, mostBindingConditions);
    else
      for (const [index, name] of list.entries()) findings.invalidEach(`${at}[${index}]`, name, isQualifiedName(name));
  }
  const wanted = new Set<string>();
  for (const [index, condition] of bindingConditions.entries()) {
    if (wanted.has(condition)) findings.duplicate(`${path}.bindingConditions[${index}]`, condition);
    wanted.add(condition);
  }
  const failing = new Set<string>();
  for (const [index, condition] of bindingFailureConditions.entries()) {
    const at = `${path}.bindingFailureConditions[${index}]`;
    if (failing.has(condition)) findings.duplicate(at, condition);
    failing.add(condition);
    if (wanted.has(condition)) {
      findings.invalid(at, condition, 'bindingFailureConditions must not overlap with bindingConditions');
    }
  }
  const needs = (field: keyof Binding, other: string) =>
    findings.invalid(`${path}.${field}`, device[field] ?? null, `${field} are required to use ${other}`);
  if (wanted.size === 0 && failing.size > 0) needs('bindingConditions', 'bindingFailureConditions');
  if (failing.size === 0 && wanted.size > 0) needs('bindingFailureConditions', 'bindingConditions');
}
