import { Environment } from '@marcbachmann/cel-js';
import type { MatchCondition } from '../../../api/generated/admissionregistration-v1.ts';
import { NAMESPACES } from '../../../api/resources.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { Objects } from '../../objects.ts';
import type { AdmissionRequest } from '../admission.ts';

/** What expressions may look at besides the request. */
export interface ExpressionSources {
  objects: Objects;
  authorizer: Authorizer;
}

/** The kind and resource a webhook or policy was matched by, where they are not the request's own (matchPolicy Equivalent). */
export interface MatchedAs {
  kind: { group: string; version: string; kind: string };
  resource: { group: string; version: string; resource: string };
}

export interface MatchOutcome {
  matches: boolean;
  /** The first condition that is false. */
  failedCondition?: string;
  /** No condition is false and some failed: what failurePolicy Fail answers with. */
  error?: string;
}

export interface MatchConditions {
  /** What does not compile, in upstream's words (`compilation failed: ERROR: <input>:1:8: ...`), by the condition's index. */
  errors: { index: number; message: string }[];
  /** Never rejects for what an expression does; a false condition wins over failing ones. */
  evaluate(request: AdmissionRequest, sources: ExpressionSources, matchedAs?: MatchedAs): Promise<MatchOutcome>;
}

/**
 * Match conditions of webhooks and policies: expressions over object, oldObject, request, namespaceObject and authorizer.
 * Expressions are compiled once for all tenants and kept; calling this again is cheap, but keep what it returns.
 * Source: apiserver's admission/plugin/webhook/matchconditions.
 */
export function compileMatchConditions(conditions: MatchCondition[]): MatchConditions {
  const environment = new Environment({ unlistedVariablesAreDyn: true });
  const errors: MatchConditions['errors'] = [];
  const programs = conditions.map(({ name, expression }, index) => {
    try {
      return { name, expression, run: environment.parse(expression) };
    } catch (error) {
      errors.push({ index, message: `compilation failed: ${(error as Error).message}` });
      return { name, expression, run: undefined };
    }
  });
  return {
    errors,
    async evaluate(request, sources) {
      const namespace =
        request.namespace === ''
          ? undefined
          : await sources.objects.get(NAMESPACES, request.tenant, '', request.namespace);
      const { name, groups, uid, extra } = request.identity;
      const variables = {
        object: request.object ?? null,
        oldObject: request.oldObject ?? null,
        namespaceObject: namespace?.object ?? null,
        request: {
          operation: request.operation,
          name: request.name,
          namespace: request.namespace,
          dryRun: request.dryRun,
          userInfo: { username: name, groups, uid: uid ?? '', extra: extra ?? {} },
        },
      };
      const failures: string[] = [];
      for (const { name: condition, expression, run } of programs) {
        try {
          if (run === undefined) throw new Error('compilation error');
          if ((await run(variables)) === false) return { matches: false, failedCondition: condition };
        } catch (error) {
          failures.push(`expression '${expression}' resulted in error: ${(error as Error).message}`);
        }
      }
      return failures.length === 0 ? { matches: true } : { matches: false, error: failures.join(', ') };
    },
  };
}
