import { typeChecker } from '../../api/cel/check-types.ts';
import { joinedStructs } from '../../api/cel/declared-structs.ts';
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../../api/generated/admissionregistration-v1.ts';
import { apiVersionOf, type GroupVersionKind, parseApiVersion } from '../../api/object.ts';
import type { KnownType } from './known-types.ts';

/** A rule may name no more. */
const mostTypes = 10;

/** Where types come from; what is not there is not checked. */
export interface TypeSource {
  kindOf(group: string, version: string, resource: string): Promise<string | undefined>;
  typeOf(kind: GroupVersionKind): Promise<KnownType | undefined>;
}

/** What the expressions of a policy get wrong about the kinds it names. Source: policy/validating/typechecking.go. */
export async function checkPolicy(policy: ValidatingAdmissionPolicy, source: TypeSource): Promise<ExpressionWarning[]> {
  const { validations = [], variables = [], paramKind } = policy.spec ?? {};
  const params = paramKind
    ? await source.typeOf({ ...parseApiVersion(paramKind.apiVersion ?? ''), kind: paramKind.kind ?? '' })
    : undefined;
  const checks: { kind: GroupVersionKind; check: (expression: string) => string | undefined }[] = [];
  for (const kind of await kindsOf(policy, source)) {
    const known = await source.typeOf(kind);
    if (known === undefined) continue;
    const structs = params === undefined ? known.structs : joinedStructs(known.structs, params.structs);
    const types = { object: known.type, ...(params !== undefined && { params: params.type }), structs };
    checks.push({ kind, check: typeChecker(types, variables, Boolean(paramKind)) });
  }
  const warnings: ExpressionWarning[] = [];
  const add = (expression: string, fieldRef: string) => {
    const lines: string[] = [];
    for (const { kind, check } of checks) {
      const issues = check(expression);
      const { group, version } = kind;
      if (issues !== undefined) lines.push(`${group}/${version}, Kind=${kind.kind}: ${issues}\n`);
    }
    if (lines.length > 0) warnings.push({ fieldRef, warning: lines.join('\n') });
  };
  validations.forEach(({ expression, messageExpression }, index) => {
    add(expression, `spec.validations[${index}].expression`);
    if (messageExpression) add(messageExpression, `spec.validations[${index}].messageExpression`);
  });
  return warnings;
}

/** The kinds that rules name outright, in upstream's order. */
async function kindsOf(policy: ValidatingAdmissionPolicy, source: TypeSource): Promise<GroupVersionKind[]> {
  const found = new Map<string, GroupVersionKind>();
  for (const rule of policy.spec?.matchConstraints?.resourceRules ?? []) {
    const { apiGroups = [], apiVersions = [], resources = [] } = rule;
    if ([...apiGroups, ...apiVersions].some((name) => name.includes('*'))) continue;
    const plain = resources.filter((name) => !/[*/]/.test(name));
    let count = 0;
    for (const group of [...apiGroups].sort()) {
      for (const version of [...apiVersions].sort()) {
        for (const resource of [...plain].sort()) {
          const kind = count < mostTypes ? await source.kindOf(group, version, resource) : undefined;
          if (kind === undefined) continue;
          count++;
          const one = { group, version, kind };
          found.set(`${apiVersionOf(one)}/${kind}`, one);
        }
      }
    }
    // As upstream: the first rule that names that many is the last one looked at.
    if (count >= mostTypes) break;
  }
  return [...found.values()].sort(
    (a, b) => compare(a.group, b.group) || compare(a.version, b.version) || compare(a.kind, b.kind),
  );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
