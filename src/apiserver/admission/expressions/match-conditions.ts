import { type AdmissionNames, compileAdmissionExpression } from '../../../api/cel/admission.ts';
import type { Program } from '../../../api/cel/program.ts';
import { boolType } from '../../../api/cel/types.ts';
import type { MatchCondition } from '../../../api/generated/admissionregistration-v1.ts';
import type { GroupVersionKind, GroupVersionResource } from '../../../api/object.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { Objects } from '../../objects.ts';
import type { AdmissionRequest } from '../admission.ts';
import { requestedForm } from '../webhooks/forms.ts';
import { Evaluation, MATCH_CONDITIONS_BUDGET, OutOfBudget } from './evaluation.ts';

/** What expressions may look at besides the request. */
export interface ExpressionSources {
  objects: Objects;
  authorizer: Authorizer;
}

/** The kind and resource a webhook or policy was matched by, where they are not the request's own (matchPolicy Equivalent). */
export interface MatchedAs {
  kind: GroupVersionKind;
  resource: GroupVersionResource;
}

export interface MatchOutcome {
  matches: boolean;
  /** The first condition that is false. */
  failedCondition?: string;
  /** No condition is false and some failed: what failurePolicy Fail answers with. */
  error?: string;
}

export interface MatchConditions {
  /** Never rejects for what an expression does; a false condition wins over failing ones. */
  evaluate(request: AdmissionRequest, sources: ExpressionSources, matchedAs?: MatchedAs): Promise<MatchOutcome>;
  /** The same where the caller has made what expressions see. */
  evaluateIn(evaluation: Evaluation): Promise<MatchOutcome>;
}

/**
 * Match conditions of webhooks and policies: expressions over object, oldObject, request and authorizer; `names` adds
 * what policies have besides. As upstream, nothing is said of the namespace. Expressions are compiled once for all
 * tenants and kept; calling this again is cheap, but keep what it returns.
 * Source: apiserver's admission/plugin/webhook/matchconditions.
 */
export function compileMatchConditions(
  conditions: readonly MatchCondition[],
  names: AdmissionNames = { authorizer: true },
): MatchConditions {
  // At first use: they may be long, and others may have their turns between two.
  const compiled: (Program | string)[] = [];
  const programOf = (index: number): Program | string => {
    let program = compiled[index];
    if (program === undefined) {
      try {
        program = compileAdmissionExpression(conditions[index]!.expression, names, [boolType]);
      } catch (error) {
        program = `compilation error: ${(error as Error).message}`;
      }
      compiled[index] = program;
    }
    return program;
  };
  const evaluateIn = async (evaluation: Evaluation): Promise<MatchOutcome> => {
    const budget = { left: MATCH_CONDITIONS_BUDGET };
    const failures: string[] = [];
    try {
      let failedCondition: string | undefined;
      for (const [index, { name }] of conditions.entries()) {
        const program = await evaluation.preparing(() => programOf(index));
        if (typeof program === 'string') {
          failures.push(program);
          continue;
        }
        const { value, error } = await evaluation.evaluate(program, budget);
        if (error !== undefined) failures.push(error);
        else if (value === false) failedCondition ??= name;
      }
      if (failedCondition !== undefined) return { matches: false, failedCondition };
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      return { matches: false, error: error.message };
    }
    return failures.length === 0 ? { matches: true } : { matches: false, error: aggregated(failures) };
  };
  return {
    evaluateIn,
    evaluate(request, { authorizer }, matchedAs) {
      const { kind, resource } = requestedForm(request);
      return evaluateIn(
        new Evaluation({
          request,
          authorizer,
          object: request.object,
          oldObject: request.oldObject,
          kind: matchedAs?.kind ?? kind,
          resource: matchedAs?.resource ?? resource,
          requestKind: kind,
          requestResource: resource,
          namespace: undefined,
        }),
      );
    },
  };
}

/** As Go prints several errors. */
function aggregated(failures: string[]): string {
  const distinct = [...new Set(failures)];
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`;
}
