import type { ReleaseObject } from './release-object.ts';
import { plain } from './terminal-text.ts';

/** A release in one line, for logs: the text changes exactly when something in it has changed. */
export function changeLine({ metadata, status }: ReleaseObject): string | undefined {
  if (status === undefined) return undefined;
  const { phase, stage, share, message, guardrails = [] } = status;
  const judged = guardrails
    .map(({ name, shadow, outcome }) => `${name}=${outcome}${shadow === true ? ' (shadow)' : ''}`)
    .join(' ');
  return plain(
    [
      metadata.name,
      phase,
      ...(stage === undefined ? [] : [`${stage} ${share ?? 0}%`]),
      ...(judged === '' ? [] : [judged]),
      message,
    ].join('  '),
  );
}
