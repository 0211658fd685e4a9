import { deepEqual } from '../../../api/equality.ts';
import type { KubeObject } from '../../../api/object.ts';
import { StatusError } from '../../../api/status.ts';
import type { AdmissionRequest } from '../admission.ts';
import { RUNTIME_BUDGET } from '../expressions/index.ts';
import { forbid } from '../forbid.ts';
import { Round } from '../reinvocation.ts';
import { type ChangingObject, decoded, moveTo, objectOf, oldObjectIn, writeBack } from '../webhooks/current-object.ts';
import type { MatchedForm } from '../webhooks/forms.ts';
import { withoutTenant } from '../webhooks/review.ts';
import { applyMade } from './apply-configuration.ts';
import type { CompiledBinding, CompiledMutatingPolicy } from './compiled-policy.ts';
import { patchMade } from './json-patch.ts';
import { matchedForm } from './matching.ts';
import { type PolicyErrorType, policyErrorType } from './observer.ts';
import { definitionOfParams, paramsOf } from './params.ts';
import type { BoundPolicy, PolicyOptions } from './policies.ts';
import { evaluationOf, namespaceObjectOf, type Situation } from './situation.ts';

export const MUTATING_POLICY_PLUGIN = 'MutatingAdmissionPolicy';

/** One policy with one binding and one object of parameters. */
interface Invocation {
  key: string;
  policy: CompiledMutatingPolicy;
  binding: CompiledBinding;
  form: MatchedForm;
  params: KubeObject | undefined;
}

interface Refusal {
  policy: CompiledMutatingPolicy;
  bindingName: string | undefined;
  message: string;
  reason: string;
}

/** One policy after the other, each seeing what those before it made. Source: policy/mutating/dispatcher.go. */
export async function mutateByPolicies(
  options: PolicyOptions,
  policies: readonly BoundPolicy<CompiledMutatingPolicy>[],
  request: AdmissionRequest,
): Promise<void> {
  const refusals: Refusal[] = [];
  const invocations = await invocationsOf(options, policies, request, refusals);
  if (invocations.length > 0) await invokeAll(options, invocations, request, refusals);
  const heard = refusals.filter(({ policy }) => !policy.failsOpen);
  if (heard.length > 0) throw refused(request, heard);
}

async function invocationsOf(
  options: PolicyOptions,
  policies: readonly BoundPolicy<CompiledMutatingPolicy>[],
  request: AdmissionRequest,
  refusals: Refusal[],
): Promise<Invocation[]> {
  const invocations: Invocation[] = [];
  for (const { policy, bindings } of policies) {
    const refuse = (error: unknown, bindingName?: string) => {
      if (error instanceof StatusError) throw error;
      const what = bindingName === undefined ? 'policy' : 'binding';
      const message = `failed to configure ${what}: ${(error as Error).message}`;
      refusals.push({ policy, bindingName, message, reason: '' });
    };
    try {
      const form = await matchedForm(options, policy.match, request);
      if (form === undefined) continue;
      const kind = policy.paramKind;
      const definition = kind === undefined ? undefined : definitionOfParams(options.registry, request.tenant, kind);
      if (typeof definition === 'string') throw new Error(definition);
      for (const binding of bindings) {
        try {
          if (binding.match !== undefined && (await matchedForm(options, binding.match, request)) === undefined) {
            continue;
          }
          const { tenant, namespace } = request;
          for (const params of await paramsOf(options.objects, tenant, definition, binding.paramRef, namespace)) {
            const { namespace: place = '', name = '' } = params?.metadata ?? {};
            const key = `${policy.name}/${binding.name}/${place}/${name}`;
            invocations.push({ key, policy, binding, form, params });
          }
        } catch (error) {
          refuse(error, binding.name);
        }
      }
    } catch (error) {
      refuse(error);
    }
  }
  return invocations;
}

async function invokeAll(
  options: PolicyOptions,
  invocations: readonly Invocation[],
  request: AdmissionRequest,
  refusals: Refusal[],
): Promise<void> {
  const namespace = await namespaceObjectOf(options, request);
  const round = new Round(request, MUTATING_POLICY_PLUGIN);
  const current = objectOf(request);
  for (const invocation of invocations) {
    const { policy, binding, form, params } = invocation;
    const refuse = (message: string) =>
      refusals.push({ policy, bindingName: binding.name, message, reason: 'Invalid' });
    await moveTo(current, form, request);
    const oldObject = await oldObjectIn(form, request);
    const situation = { request, form, oldObject, namespace, params, variables: policy.variables };
    const seen = (): Situation => ({ ...situation, object: current.object });
    const outcome = await policy.conditions?.evaluateIn(evaluationOf(options, seen()));
    if (outcome?.error !== undefined) {
      refuse(outcome.error);
      continue;
    }
    if (outcome?.matches === false) continue;
    if (!round.asks(invocation.key)) continue;
    const before = current.object;
    for (const mutation of policy.mutations) {
      if (current.object === undefined) continue;
      const startedMs = performance.now();
      const tell = (errorType: PolicyErrorType) =>
        options.observer?.mutated(policy.name, binding.name, errorType, performance.now() - startedMs);
      try {
        await invoke(options, mutation, seen(), current);
        tell('no_error');
      } catch (error) {
        tell(policyErrorType((error as Error).message));
        if (error instanceof StatusError) throw error;
        refuse((error as Error).message);
      }
    }
    if (!deepEqual(before, current.object)) round.changed();
    if (policy.isReinvocable) round.invoked(invocation.key);
  }
  await writeBack(current, request);
  round.end();
}

async function invoke(
  options: PolicyOptions,
  { patchType, program }: CompiledMutatingPolicy['mutations'][number],
  situation: Situation,
  current: ChangingObject,
): Promise<void> {
  if (typeof program === 'string') throw new Error(program);
  const { value, error } = await evaluationOf(options, situation).evaluate(program, { left: RUNTIME_BUDGET });
  if (error !== undefined) throw new Error(error);
  const { request, form } = situation;
  const before = withoutTenant(current.object!);
  const changed =
    patchType === 'JSONPatch' ? patchMade(before, value) : applyMade(before, value, form, request.kind === undefined);
  if (changed === before) return;
  current.object = decoded(changed, before, form, request, { isStrict: true });
  current.isDirty = true;
}

function refused(request: AdmissionRequest, refusals: readonly Refusal[]): StatusError {
  const base = forbid(request, 'admission request denied by policy');
  const messages = refusals.map(({ policy, bindingName, message }) =>
    bindingName === undefined
      ? `policy ${JSON.stringify(policy.name)} denied request: ${message}`
      : `policy '${policy.name}' with binding '${bindingName}' denied request: ${message}`,
  );
  // As upstream: the reason is the first refusal's, the code stays.
  return new StatusError(base.code, refusals[0]!.reason || base.reason, messages[0]!, {
    ...base.details,
    causes: [...(base.details?.causes ?? []), ...messages.map((message) => ({ message }))],
  });
}
