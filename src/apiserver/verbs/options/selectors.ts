import type { ResourceDefinition } from '../../../api/resource-definition.ts';
import { parseFieldSelector } from '../../../api/selectors/field-selectors.ts';
import { parseLabelSelector } from '../../../api/selectors/label-selectors.ts';
import { badRequest } from '../../../api/status.ts';
import type { RequestContext } from '../../request-context.ts';
import type { ObjectFilter } from '../../watch-cache/watch-cache.ts';

/** The labelSelector and fieldSelector of a query as one filter; undefined when neither is given. */
export function filterOf(context: RequestContext, definition: ResourceDefinition): ObjectFilter | undefined {
  const labelText = context.query.get('labelSelector') ?? '';
  let fieldText = context.query.get('fieldSelector') ?? '';
  // An old-style watch of one object names it in its path.
  if (context.info.hasNameInPath) {
    fieldText = [`metadata.name=${context.info.name}`, ...(fieldText === '' ? [] : [fieldText])].join(',');
  }
  if (labelText === '' && fieldText === '') return undefined;
  const labels = labelText === '' ? undefined : inBadRequest(() => parseLabelSelector(labelText));
  const fields = fieldText === '' ? undefined : inBadRequest(() => parseFieldSelector(fieldText, definition));
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

function inBadRequest<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}
