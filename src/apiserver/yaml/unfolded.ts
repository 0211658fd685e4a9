import { mostMembers } from '../../api/json/read-json.ts';
import { mostValues } from '../http/nesting.ts';

/** Of all texts in it: several times what a body holds, and little beside what aliases could make of that. */
const mostCharacters = 16 * 1024 * 1024;

/** Aliases stand for what they name: counted wherever they do, is it more than the text of a body may hold? */
export function isTooLarge(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const containers: object[] = [value];
  let values = 0;
  let characters = 0;
  for (let next = containers.pop(); next !== undefined; next = containers.pop()) {
    const isList = Array.isArray(next);
    let members = 0;
    for (const name in next) {
      const member = (next as Record<string, unknown>)[name];
      if (typeof member === 'object' && member !== null) containers.push(member);
      else if (typeof member === 'string') characters += member.length;
      if (!isList) characters += name.length;
      if (++values > mostValues || characters > mostCharacters || (!isList && ++members > mostMembers)) return true;
    }
  }
  return false;
}
