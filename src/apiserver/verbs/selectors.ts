import { parseFieldSelector } from '../../api/field-selectors.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import { parseLabelSelector } from '../../api/selectors.ts';
import { badRequest } from '../../api/status.ts';
import type { RequestContext } from '../request-context.ts';
import type { ObjectFilter } from '../watch-cache/watch-cache.ts';

/** The labelSelector and fieldSelector of a query as one filter; undefined when neither is given. */
export function filterOf(context: RequestContext, definition: ResourceDefinition): ObjectFilter | undefined {
  const labelText = context.query.get('labelSelector') ?? '';
  let fieldText = context.query.get('fieldSelector') ?? '';
  // An old-style watch of one object names it in its path.
  if (context.info.hasNameInPath) {
    fieldText = [`metadata.name=${context.info.name}`, ...(fieldText === '' ? [] : [fieldText])].join(',');
  }
  if (labelText === '' && fieldText === '') return undefined;
  const labels = labelText === '' ? undefined : inBadRequest(context, definition, () => parseLabelSelector(labelText));
  const fields =
    fieldText === '' ? undefined : inBadRequest(context, definition, () => parseFieldSelector(fieldText, definition));
  if (labels?.requirements.length === 0 && fields === undefined) return undefined;
  const exactFields: Record<string, string> = {};
  for (const { field, operator, value } of fields?.requirements ?? []) {
    if (operator === '=') exactFields[field] = value;
  }
  return {
    exactFields,
    matches: (object) =>
      (labels === undefined || labels.matches(object.metadata.labels)) &&
      (fields === undefined || fields.matches(object)),
  };
}

function inBadRequest<T>(context: RequestContext, definition: ResourceDefinition, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const { message } = error as Error;
    if (!message.startsWith('field label not supported')) throw badRequest(message);
    // The sentence kube-apiserver's list handler puts around it.
    const gv = definition.group === '' ? definition.version : `${definition.group}/${definition.version}`;
    throw badRequest(
      `Unable to find ${JSON.stringify(`${gv}, Resource=${definition.resource}`)} that match label selector ${JSON.stringify(context.query.get('labelSelector') ?? '')}, field selector ${JSON.stringify(context.query.get('fieldSelector') ?? '')}: ${message}`,
    );
  }
}
