import { STATUS_OF_REASON } from '#kernel/base/failures.ts';
import type { RefusalDeclaration } from '#kernel/base/refusals.ts';
import { code, table } from './markdown.ts';

/** As much of a registry as the reference shows. */
export interface Registry {
  readonly area: string;
  readonly declared: Readonly<Record<string, RefusalDeclaration>>;
}

/** Every code that a request, a start or a command can be refused with. */
export function refusalsPage(registries: readonly Registry[]): string {
  const sections = registries.toSorted(byArea).map(({ area, declared }) => {
    const rows = Object.entries(declared).map(([name, { reason, meaning, remedy, hint = '' }]) => [
      code(`${area}/${name}`),
      String(STATUS_OF_REASON[reason]),
      meaning,
      remedy ?? hint,
    ]);
    return `## ${area}\n\n${table(['code', 'status', 'meaning', 'what to do'], rows)}`;
  });
  return `# Refusals

A refusal has a permanent code, a sentence with the values, and a remedy. Paths of applications answer problem details (RFC 9457)
with \`code\`, \`detail\` and \`remedy\`. The resource API answers the \`Status\` of Kubernetes, with the code in the header
\`backline-refusal\`. An error of the server itself is 500 with the code \`http/unexpected\`, and a line in the log with the request id.

${sections.join('\n\n')}
`;
}

function byArea(a: Registry, b: Registry): number {
  return a.area < b.area ? -1 : 1;
}
