import type { KubeObject } from '../../../api/object.ts';
import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { StatusError } from '../../../api/status.ts';
import type { AdmissionRequest } from '../admission.ts';
import { forbid } from '../forbid.ts';
import { convert, type MatchedForm } from '../webhooks/forms.ts';
import type { CompiledBinding, CompiledValidatingPolicy } from './compiled-policy.ts';
import { matchedForm } from './matching.ts';
import { type PolicyAction, policyErrorType } from './observer.ts';
import { definitionOfParams, paramsOf } from './params.ts';
import type { BoundPolicy, PolicyOptions } from './policies.ts';
import { evaluationOf, namespaceObjectOf } from './situation.ts';
import { type Decision, validateWith } from './validator.ts';

interface Denial extends Pick<Decision, 'message' | 'reason'> {
  policyName: string;
  bindingName: string | undefined;
}

const codes: Record<string, number> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};
const shownActions: Record<string, PolicyAction> = { Deny: 'deny', Warn: 'warn', Audit: 'audit' };
const LONGEST_ANNOTATION = 10 * 1024;

/** Rejects with what the first denying policy says. Source: policy/validating/dispatcher.go. */
export async function enforce(
  options: PolicyOptions,
  policies: readonly BoundPolicy<CompiledValidatingPolicy>[],
  request: AdmissionRequest,
): Promise<void> {
  const denials: Denial[] = [];
  for (const { policy, bindings } of policies) {
    const refuse = (error: unknown, binding?: CompiledBinding) => {
      if (policy.failsOpen) return;
      const what = binding === undefined ? 'policy' : 'binding';
      const message = `failed to configure ${what}: ${(error as Error).message}`;
      denials.push({ policyName: policy.name, bindingName: binding?.name, message, reason: '' });
    };
    let form: MatchedForm | undefined;
    try {
      form = await matchedForm(options, policy.match, request);
    } catch (error) {
      refuse(error);
      continue;
    }
    if (form === undefined) continue;
    const kind = policy.paramKind;
    const definition = kind === undefined ? undefined : definitionOfParams(options.registry, request.tenant, kind);
    if (typeof definition === 'string') {
      refuse(new Error(definition));
      continue;
    }
    const annotations = new Map<string, Set<string>>();
    for (const binding of bindings) {
      try {
        if (binding.match !== undefined && (await matchedForm(options, binding.match, request)) === undefined) continue;
        denials.push(...(await enforceBinding(options, policy, binding, form, definition, request, annotations)));
      } catch (error) {
        if (error instanceof StatusError) throw error;
        refuse(error, binding);
      }
    }
    for (const [key, values] of annotations) annotate(request, `${policy.name}/${key}`, [...values].join(', '));
  }
  if (denials.length > 0) throw denied(request, denials[0]!);
}

async function enforceBinding(
  options: PolicyOptions,
  policy: CompiledValidatingPolicy,
  binding: CompiledBinding,
  form: MatchedForm,
  definition: ResourceDefinition | undefined,
  request: AdmissionRequest,
  annotations: Map<string, Set<string>>,
): Promise<Denial[]> {
  const all = await paramsOf(options.objects, request.tenant, definition, binding.paramRef, request.namespace);
  if (all.length === 0) return [];
  const namespace = await namespaceObjectOf(options, request);
  const inForm = (object: KubeObject | undefined) =>
    object === undefined ? undefined : convert(object, request.definition, form.definition, request);
  const [object, oldObject] = [await inForm(request.object), await inForm(request.oldObject)];
  const denials: Denial[] = [];
  for (const params of all) {
    const situation = { request, form, object, oldObject, namespace, params, variables: policy.variables };
    const result = await validateWith(policy, evaluationOf(options, situation));
    result.decisions.forEach((decision, index) => {
      if (decision === undefined) return;
      denials.push(...act(options, policy, binding, decision, index, request));
    });
    for (const { message, elapsedMs } of result.ignored) {
      options.observer?.validated(policy.name, binding.name, policyErrorType(message), 'allow', elapsedMs);
    }
    for (const { key, value, error } of result.annotations) {
      if (error !== undefined) {
        denials.push({ policyName: policy.name, bindingName: binding.name, message: error, reason: '' });
        options.observer?.validated(policy.name, binding.name, policyErrorType(error), 'deny', 0);
      } else if (value !== undefined) {
        const values = annotations.get(key) ?? new Set();
        annotations.set(key, values.add(value.slice(0, LONGEST_ANNOTATION)));
      }
    }
  }
  return denials;
}

/** What the binding wants done about a validation that does not hold. */
function act(
  { observer }: PolicyOptions,
  { name }: CompiledValidatingPolicy,
  binding: CompiledBinding,
  decision: Decision,
  expressionIndex: number,
  request: AdmissionRequest,
): Denial[] {
  const denials: Denial[] = [];
  for (const action of binding.actions) {
    const shown = shownActions[action];
    if (shown !== undefined) {
      observer?.validated(name, binding.name, policyErrorType(decision.message), shown, decision.elapsedMs);
    }
    if (action === 'Deny') denials.push({ ...decision, policyName: name, bindingName: binding.name });
    else if (action === 'Warn') {
      request.warnings.push(
        `Validation failed for ValidatingAdmissionPolicy '${name}' with binding '${binding.name}': ${decision.message}`,
      );
    } else if (action === 'Audit') {
      const { message } = decision;
      const failure = {
        message,
        policy: binding.policyName,
        binding: binding.name,
        expressionIndex,
        validationActions: binding.actions,
      };
      annotate(request, 'validation.policy.admission.k8s.io/validation_failure', JSON.stringify([failure]));
    }
  }
  return denials;
}

function annotate(request: AdmissionRequest, key: string, value: string): void {
  request.auditAnnotations ??= {};
  request.auditAnnotations[key] ??= value;
}

function denied(request: AdmissionRequest, { policyName, bindingName, message, reason }: Denial): StatusError {
  const place = bindingName === undefined ? '' : ` with binding '${bindingName}'`;
  const text = `ValidatingAdmissionPolicy '${policyName}'${place} denied request: ${message}`;
  const error = forbid(request, text);
  const given = reason === '' ? 'Invalid' : reason;
  return new StatusError(codes[given] ?? 422, given, error.message, {
    ...error.details,
    causes: [...(error.details?.causes ?? []), { message: text }],
  });
}
