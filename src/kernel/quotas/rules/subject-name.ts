/**
 * Names of subjects: paths of parts, from the largest to what is counted within it, like an account and its device. The
 * caller says what the parts mean. Two lists of parts never have one name, whatever characters are in them.
 */
export function subjectName(parts: readonly [string, ...string[]]): string {
  return parts.map(escapePart).join('/');
}

/** The parts that a name was made of. */
export function subjectParts(name: string): readonly string[] {
  return name.split('/').map((part) => part.replaceAll('%2F', '/').replaceAll('%25', '%'));
}

/** The beginning of the names of all subjects below one. */
export function namesBelow(name: string): string {
  return `${name}/`;
}

function escapePart(part: string): string {
  return part.replaceAll('%', '%25').replaceAll('/', '%2F');
}
