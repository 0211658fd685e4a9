import type { PodLogOptions } from '../../api/pod-connector.ts';
import { badRequest, type FieldError, invalid } from '../../api/status.ts';
import { canonicalTimeOf } from '../../api/time.ts';
import type { Answer } from '../answer.ts';
import type { Environment } from '../environment.ts';
import { isTrue, type Query } from '../request-info.ts';
import type { ResourceRequest } from '../verbs/scope.ts';
import { containerOf, podAndConnector } from './containers.ts';

/** GET of a pod's `log`. Source: core/v1 PodLogOptions, and LogREST upstream. */
export async function podLog(environment: Environment, request: ResourceRequest): Promise<Answer> {
  const { context, name } = request;
  const options = parseLogOptions(context.query, name);
  const { pod, connector } = await podAndConnector(environment, request);
  options.container = containerOf(pod, options.container ?? null);
  const contentType = 'text/plain';
  // A pod that no node has yet has written nothing.
  if (!pod['spec'].nodeName) return { type: 'bytes', code: 204, bytes: '' };
  const chunks = await connector.logs(pod, options, context.signal);
  return { type: 'stream', code: 200, contentType, chunks };
}

function parseLogOptions(query: Query, podName: string): PodLogOptions {
  const errors: FieldError[] = [];
  const whole = (field: string, least: number): number | undefined => {
    const text = query.get(field);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    if (value < least) {
      const why = least === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
      errors.push({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${why}` });
    }
    return value;
  };
  const given = (field: string): string | undefined => query.get(field) || undefined;
  const options: PodLogOptions = {
    container: given('container'),
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    sinceSeconds: whole('sinceSeconds', 1),
    sinceTime: given('sinceTime'),
    tailLines: whole('tailLines', 0),
    limitBytes: whole('limitBytes', 1),
    stream: given('stream'),
  };
  if (options.sinceSeconds !== undefined && options.sinceTime !== undefined) {
    errors.push({
      reason: 'FieldValueForbidden',
      field: '[]',
      message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    });
  }
  if (options.sinceTime !== undefined) checkTime(options.sinceTime);
  if (options.stream !== undefined && !['All', 'Stdout', 'Stderr'].includes(options.stream)) {
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'stream',
      message: `Unsupported value: ${JSON.stringify(options.stream)}: supported values: "All", "Stderr", "Stdout"`,
    });
  }
  if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, podName, errors);
  return options;
}

function checkTime(text: string): void {
  try {
    canonicalTimeOf(text);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}
