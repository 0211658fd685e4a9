import { table } from '../../base/table.ts';
import type {
  FlowSchema,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  Subject,
} from '../generated/flowcontrol-v1.ts';
import { inclusiveRange, isDns1123Label, isDns1123Subdomain } from '../names.ts';
import type { Findings } from './findings.ts';
import { goValueOf } from './go-value.ts';

const MAX_PRECEDENCE = 10_000;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const MAX_QUEUES = 10_000_000;

/** Source: pkg/apis/flowcontrol/validation. */
export function validateFlowSchema(
  { spec = {} as FlowSchema['spec'], metadata }: FlowSchema,
  findings: Findings,
): void {
  const { matchingPrecedence = 0, priorityLevelConfiguration, distinguisherMethod } = spec!;
  if (matchingPrecedence <= 0)
    findings.invalid('spec.matchingPrecedence', matchingPrecedence, 'must be a positive value');
  if (matchingPrecedence > MAX_PRECEDENCE) {
    findings.invalid('spec.matchingPrecedence', matchingPrecedence, `must not be greater than ${MAX_PRECEDENCE}`);
  }
  if (matchingPrecedence === 1 && metadata.name !== 'exempt') {
    findings.invalid(
      'spec.matchingPrecedence',
      matchingPrecedence,
      "only the schema named 'exempt' may have matchingPrecedence 1",
    );
  }
  if (distinguisherMethod !== undefined && !['ByNamespace', 'ByUser'].includes(distinguisherMethod.type)) {
    // Upstream shows the whole method.
    const shown = goValueOf('io.k8s.api.flowcontrol.v1.FlowDistinguisherMethod', distinguisherMethod);
    findings.notSupported('spec.distinguisherMethod.type', shown, ['ByNamespace', 'ByUser']);
  }
  const name = priorityLevelConfiguration?.name;
  if (!name) findings.required('spec.priorityLevelConfiguration.name', 'must reference a priority level');
  else findings.invalidEach('spec.priorityLevelConfiguration.name', name, isDns1123Subdomain(name));
  spec!.rules?.forEach((rule, index) => {
    validateRules(rule, `spec.rules[${index}]`, findings);
  });
}

function validateRules(rule: PolicyRulesWithSubjects, path: string, findings: Findings): void {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  if (subjects.length === 0) findings.required(`${path}.subjects`, 'subjects must contain at least one value');
  subjects.forEach((subject, index) => {
    validateSubject(subject, `${path}.subjects[${index}]`, findings);
  });
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    findings.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty');
  }
  resourceRules.forEach((one, index) => {
    const at = `${path}.resourceRules[${index}]`;
    validateVerbs(one.verbs, `${at}.verbs`, findings);
    for (const [field, what] of [
      ['apiGroups', 'api group'],
      ['resources', 'resource'],
    ] as const) {
      const values = one[field] ?? [];
      if (values.length === 0) findings.required(`${at}.${field}`, `resource rules must supply at least one ${what}`);
      else if (values.length > 1 && values.includes('*')) {
        const words = field === 'apiGroups' ? 'api groups' : 'resources';
        findings.invalid(`${at}.${field}`, values, `if '*' is present, must not specify other ${words}`);
      }
    }
    const { namespaces = [], clusterScope } = one;
    if (namespaces.length === 0 && clusterScope !== true) {
      findings.required(
        `${at}.namespaces`,
        'resource rules that are not cluster scoped must supply at least one namespace',
      );
    } else if (namespaces.includes('*')) {
      if (namespaces.length > 1) {
        findings.invalid(`${at}.namespaces`, namespaces, "if '*' is present, must not specify other namespaces");
      }
    } else {
      namespaces.forEach((namespace, i) => {
        for (const wrong of isDns1123Label(namespace)) {
          findings.invalid(
            `${at}.namespaces[${i}]`,
            namespace,
            `each member of this list must be '*' or a DNS-1123 label; ${wrong}`,
          );
        }
      });
    }
  });
  nonResourceRules.forEach((one, index) => {
    const at = `${path}.nonResourceRules[${index}]`;
    validateVerbs(one.verbs, `${at}.verbs`, findings);
    const urls = one.nonResourceURLs ?? [];
    if (urls.length === 0)
      findings.required(`${at}.nonResourceURLs`, 'nonResourceURLs must contain at least one value');
    else if (urls.includes('*')) {
      if (urls.length > 1) {
        findings.invalid(`${at}.nonResourceURLs`, urls, "if '*' is present, must not specify other non-resource URLs");
      }
    } else {
      urls.forEach((url, i) => {
        const wrong = urlFinding(url);
        if (wrong !== undefined) findings.invalid(`${at}.nonResourceURLs[${i}]`, url, wrong);
      });
    }
  });
}

function urlFinding(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  if (url.slice(0, -1).includes('*')) return 'wildcard can only do suffix matching';
  return undefined;
}

function validateVerbs(asked: string[] | undefined, path: string, findings: Findings): void {
  if (!asked?.length) {
    findings.required(path, 'verbs must contain at least one value');
    return;
  }
  if (asked.includes('*')) {
    if (asked.length > 1) findings.invalid(path, asked, "if '*' is present, must not specify other verbs");
  } else if (asked.some((verb) => !verbs.includes(verb))) {
    findings.notSupported(path, asked, verbs);
  }
}

const fieldOfKind = table<'user' | 'group' | 'serviceAccount'>({
  Group: 'group',
  ServiceAccount: 'serviceAccount',
  User: 'user',
});

function validateSubject(subject: Subject, path: string, findings: Findings): void {
  const field = fieldOfKind[subject.kind ?? ''];
  if (field === undefined) {
    findings.notSupported(`${path}.kind`, subject.kind ?? '', Object.keys(fieldOfKind));
    return;
  }
  for (const other of ['serviceAccount', 'user', 'group'] as const) {
    if (other !== field && subject[other] !== undefined) {
      findings.forbidden(`${path}.${other}`, `${other} is forbidden when subject kind is not '${kindOf(other)}'`);
    }
  }
  const at = `${path}.${field}`;
  const value = subject[field];
  if (value === undefined) {
    findings.required(at, `${field} is required when subject kind is '${subject.kind}'`);
    return;
  }
  const { name, namespace } = value as { name?: string; namespace?: string };
  if (!name) findings.required(`${at}.name`);
  if (field !== 'serviceAccount') return;
  if (name && name !== '*') findings.invalidEach(`${at}.name`, name, isDns1123Subdomain(name));
  if (namespace) findings.invalidEach(`${at}.namespace`, namespace, isDns1123Label(namespace));
  else findings.required(`${at}.namespace`, 'must specify namespace for service account');
}

const kindOf = (field: string): string => Object.entries(fieldOfKind).find(([, one]) => one === field)![0];

export function validatePriorityLevel({ spec }: PriorityLevelConfiguration, findings: Findings): void {
  const { type, limited, exempt } = spec ?? ({} as NonNullable<typeof spec>);
  if (type === 'Exempt') {
    if (limited !== undefined) findings.forbidden('spec.limited', 'must be nil if the type is not Limited');
    validateShares(exempt ?? {}, 'spec.exempt', findings);
  } else if (type === 'Limited') {
    if (exempt !== undefined) findings.forbidden('spec.exempt', 'must be nil if the type is Limited');
    if (limited === undefined) findings.required('spec.limited', 'must not be empty when type is Limited');
    else validateLimited(limited, findings);
  } else findings.notSupported('spec.type', type ?? '', ['Exempt', 'Limited']);
}

function validateShares(
  {
    nominalConcurrencyShares = 0,
    lendablePercent = 0,
  }: { nominalConcurrencyShares?: number; lendablePercent?: number },
  path: string,
  findings: Findings,
): void {
  if (nominalConcurrencyShares < 0) {
    findings.invalid(`${path}.nominalConcurrencyShares`, nominalConcurrencyShares, 'must be a non-negative integer');
  }
  if (lendablePercent < 0 || lendablePercent > 100) {
    findings.invalid(`${path}.lendablePercent`, lendablePercent, inclusiveRange(0, 100));
  }
}

function validateLimited(
  limited: NonNullable<NonNullable<PriorityLevelConfiguration['spec']>['limited']>,
  findings: Findings,
): void {
  const path = 'spec.limited';
  validateShares(limited as object, path, findings);
  const { borrowingLimitPercent, limitResponse } = limited;
  if (borrowingLimitPercent !== undefined && borrowingLimitPercent < 0) {
    findings.invalid(
      `${path}.borrowingLimitPercent`,
      borrowingLimitPercent,
      'if specified, must be a non-negative integer',
    );
  }
  const at = `${path}.limitResponse`;
  const { type, queuing } = limitResponse ?? ({} as NonNullable<typeof limitResponse>);
  if (type === 'Reject') {
    if (queuing !== undefined)
      findings.forbidden(`${at}.queuing`, 'must be nil if limited.limitResponse.type is not Limited');
  } else if (type === 'Queue') {
    if (queuing === undefined) {
      findings.required(`${at}.queuing`, 'must not be empty if limited.limitResponse.type is Limited');
    } else validateQueuing(queuing as never, `${at}.queuing`, findings);
  } else findings.notSupported(`${at}.type`, type ?? '', ['Queue', 'Reject']);
}

function validateQueuing(
  { queues = 0, handSize = 0, queueLengthLimit = 0 }: { queues?: number; handSize?: number; queueLengthLimit?: number },
  path: string,
  findings: Findings,
): void {
  if (queueLengthLimit <= 0) findings.invalid(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive');
  if (queues <= 0) findings.invalid(`${path}.queues`, queues, 'must be positive');
  else if (queues > MAX_QUEUES) findings.invalid(`${path}.queues`, queues, `must not be greater than ${MAX_QUEUES}`);
  if (handSize <= 0) findings.invalid(`${path}.handSize`, handSize, 'must be positive');
  else if (handSize > queues)
    findings.invalid(`${path}.handSize`, handSize, `should not be greater than queues (${queues})`);
  else if (entropyBits(queues, handSize) > 60) {
    findings.invalid(
      `${path}.handSize`,
      handSize,
      `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than 60`,
    );
  }
}

/** How many bits the choice of a hand takes. */
function entropyBits(deckSize: number, handSize: number): number {
  let coefficient = 1;
  for (let i = 0; i < handSize && coefficient < 2 ** 61; i++) coefficient *= deckSize - i;
  return Math.ceil(Math.log2(coefficient));
}
