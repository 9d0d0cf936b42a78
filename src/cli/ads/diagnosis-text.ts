import { snapshotLine, type Snapshot } from '../decisions/decision-text.ts';
import type { Colours } from '../terminal/io.ts';
import { textTable } from '../terminal/text-table.ts';

/** The answer of /v1/ads/diagnose. */
export interface Diagnosis extends Snapshot {
  readonly adSet: string;
  readonly summary: string;
  readonly currency: string;
  readonly budgets: readonly {
    readonly owner: string;
    readonly per: string;
    readonly limit: string;
    readonly used: string;
    readonly expected?: string;
  }[];
  readonly requests: {
    readonly asked: number;
    readonly since?: string;
    readonly replayed: number;
    readonly eligible: number;
    readonly served: number;
  };
  readonly losses: readonly {
    readonly reason: string;
    readonly share: number;
    readonly of: string;
    readonly sentence: string;
    readonly remedy: string;
  }[];
}

export function diagnosisText(diagnosis: Diagnosis, colours: Colours): string {
  const { adSet, summary, currency, budgets, losses } = diagnosis;
  const { bold } = colours;
  const lines = [`${bold(adSet)}: ${summary}`, '', requestsText(diagnosis.requests)];
  if (budgets.length > 0) {
    const rows = budgets.map(({ owner, per, limit, used, expected }) => [
      `  ${owner}`,
      per,
      used,
      expected ?? '-',
      limit,
    ]);
    lines.push('', bold(`Budgets in ${currency}, on all nodes`));
    lines.push(textTable([['  OF', 'PER', 'USED', 'EXPECTED BY NOW', 'LIMIT'], ...rows]));
  }
  if (losses.length > 0) {
    lines.push('', bold('What keeps it from being served'));
    for (const { reason, sentence, remedy } of losses) lines.push(`  ${bold(reason)}: ${sentence}`, `    ${remedy}`);
  }
  return [...lines, ...snapshotLine(diagnosis, colours)].join('\n');
}

function requestsText({ asked, since, replayed, eligible, served }: Diagnosis['requests']): string {
  if (since === undefined || asked === 0) return 'This node answered no break at its placements lately.';
  const all = `${asked} ${asked === 1 ? 'break' : 'breaks'} at its placements since ${since}, on this node.`;
  if (replayed === 0) return all;
  return `${all} Of ${replayed} that were decided anew, ${share(eligible)} were eligible, and ${share(served)} of those would be served.`;
}

function share(of: number): string {
  return `${Math.round(of * 100)} %`;
}
