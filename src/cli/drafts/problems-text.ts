import type { DraftValidationStatus } from '#kernel/releases/kinds/draft-answer.ts';
import { oneLine, type Colours } from '../terminal/io.ts';

/** The problems of a draft, object by object, each with its remedy. */
export function problemsText(
  { problems, pending }: Pick<DraftValidationStatus, 'problems' | 'pending'>,
  { red, bold, cyan, dim }: Colours,
): string {
  const lines: string[] = [];
  let last = -1;
  for (const { position, kind, namespace = '', name, field, message, remedy } of problems) {
    if (position !== last) {
      lines.push(
        `${bold(`${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`)}  ${dim(`objects[${position}]`)}`,
      );
    }
    last = position;
    lines.push(`    ${red('!')} ${field === '' ? '' : `${field}: `}${oneLine(message)}`);
    if (remedy !== undefined) lines.push(`      ${cyan('→')} ${oneLine(remedy)}`);
  }
  if (pending !== undefined) lines.push(dim(pending));
  return lines.join('\n');
}
