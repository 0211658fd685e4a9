const component = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const domain =
  '(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?';
const pattern = new RegExp(
  `^((?:${domain}/)?${component}(?:/${component})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

export interface ImageReference {
  /** `docker.io/library/nginx`: with the registry. */
  repository: string;
  /** As it is to be pulled: the given text, with `:latest` where neither tag nor digest stands. */
  pullName: string;
}

/** Parses an image name by the grammar of distribution references; throws with upstream's words. */
export function parseImageReference(image: string): ImageReference {
  const match = pattern.exec(image);
  if (match === null) {
    const problem = pattern.test(image.toLowerCase())
      ? 'invalid reference format: repository name must be lowercase'
      : 'invalid reference format';
    throw new Error(`couldn't parse image name "${image}": ${problem}`);
  }
  const [, name = '', tag, digest] = match;
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasRegistry = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  const repository = hasRegistry ? name : `docker.io/${slash < 0 ? 'library/' : ''}${name}`;
  return { repository, pullName: tag === undefined && digest === undefined ? `${image}:latest` : image };
}
