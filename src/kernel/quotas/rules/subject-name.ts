/**
 * Names of subjects: paths of parts, from the largest to the counted one, like an account and its device. The caller
 * defines the parts. The encoding is injective for any characters.
 */
export function subjectName(parts: readonly [string, ...string[]]): string {
  return parts.map(escapePart).join('/');
}

/** The parts of a name. */
export function subjectParts(name: string): readonly string[] {
  return name.split('/').map((part) => part.replaceAll('%2F', '/').replaceAll('%25', '%'));
}

/** The prefix of the names of all subjects below one. */
export function namesBelow(name: string): string {
  return `${name}/`;
}

function escapePart(part: string): string {
  return part.replaceAll('%', '%25').replaceAll('/', '%2F');
}
