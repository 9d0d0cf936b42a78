import type { Colours } from '../terminal/io.ts';
import { textTable } from '../terminal/text-table.ts';

export interface Snapshot {
  readonly snapshot?: { readonly version: string; readonly ageSeconds: number };
}

interface Grant {
  readonly feature: string;
  readonly title: string;
  readonly value?: unknown;
  readonly limit?: unknown;
  readonly unit?: string;
  readonly per?: string;
}

interface OfferedPlan {
  readonly plan: string;
  readonly title: string;
  readonly display: string;
  readonly interval: string;
  readonly channel: string;
}

export interface CheckAnswer extends Snapshot {
  readonly outcome: 'allow' | 'degrade' | 'upsell' | 'deny';
  readonly plan: string;
  readonly feature: string;
  readonly degradedTo?: Grant;
  readonly plans?: readonly OfferedPlan[];
  readonly reason: { readonly code: string; readonly message: string };
}

export interface PricesAnswer extends Snapshot {
  readonly market: string;
  readonly title: string;
  /** The zone in which its dates begin. */
  readonly zone: string;
  readonly at: string;
  readonly prices: readonly {
    readonly plan: string;
    readonly interval?: string;
    readonly channel?: string;
    readonly sellable: boolean;
    readonly display?: string;
    readonly tax?: { readonly name: string; readonly inclusive: boolean; readonly rate?: string };
    readonly from?: string;
    readonly until?: string;
    readonly next?: { readonly at: string; readonly display?: string; readonly ends?: boolean };
    readonly reason?: { readonly message: string };
  }[];
}

export interface ExplainAnswer extends Snapshot {
  readonly answer: Partial<CheckAnswer> & Partial<PricesAnswer>;
  readonly steps: readonly {
    readonly object: { readonly kind: string; readonly name: string; readonly revision: string };
    readonly says: string;
  }[];
  readonly alternatives: readonly { readonly plan: string; readonly says: string }[];
  /** The releases under way that concern the answer. */
  readonly releases?: readonly { readonly says: string }[];
}

/** Characters of a revision that people compare. */
const revisionCharsShown = 8;

export function checkText(answer: CheckAnswer, colours: Colours): string {
  const { bold, green, yellow, red, dim } = colours;
  const paint = { allow: green, degrade: yellow, upsell: yellow, deny: red }[answer.outcome];
  const lines = [`${bold(paint(answer.outcome))}  ${answer.reason.message} ${dim(`(${answer.reason.code})`)}`];
  if (answer.degradedTo !== undefined) lines.push(`  instead: ${grantText(answer.degradedTo)}`);
  for (const { plan, title, display, interval, channel } of answer.plans ?? []) {
    lines.push(`  ${title} (${plan}) gives it for ${display} per ${periodText(interval)} on ${channel}`);
  }
  return [...lines, ...snapshotLine(answer, colours)].join('\n');
}

function grantText({ title, value, limit, unit, per }: Grant): string {
  const parts = [
    value === undefined ? '' : JSON.stringify(value),
    limit === undefined ? '' : `${String(limit)}${unit === undefined || limit === 'unlimited' ? '' : ` ${unit}`}`,
    per === undefined ? '' : `per ${periodText(per)}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? title : `${title}: ${parts.join(' ')}`;
}

const PERIODS: ReadonlyMap<string, string> = new Map([
  ['P1D', 'day'],
  ['P1W', 'week'],
  ['P1M', 'month'],
  ['P1Y', 'year'],
]);

function periodText(duration: string): string {
  return PERIODS.get(duration) ?? duration;
}

export function pricesText(answer: PricesAnswer): string {
  const when = (moment: string): string => timeText(moment, answer.zone);
  const head = `${answer.title} (${answer.market}) at ${when(answer.at)}, ${answer.zone}`;
  if (answer.prices.length === 0) return `${head}\nNo prices.`;
  const rows = answer.prices.map(({ plan, interval, channel, display, tax, from, until, next, sellable, reason }) => [
    plan,
    interval ?? '-',
    channel ?? '-',
    display ?? '-',
    tax === undefined
      ? '-'
      : `${tax.inclusive ? 'incl.' : 'plus'} ${tax.name}${tax.rate === undefined ? '' : ` ${tax.rate} %`}`,
    from === undefined ? '-' : when(from),
    until === undefined ? '-' : when(until),
    next === undefined ? '-' : `${next.ends === true ? 'ends' : (next.display ?? '?')} from ${when(next.at)}`,
    sellable ? 'on sale' : (reason?.message ?? 'not on sale'),
  ]);
  return `${head}\n${textTable([['PLAN', 'INTERVAL', 'CHANNEL', 'PRICE', 'TAX', 'FROM', 'UNTIL', 'NEXT', 'SALE'], ...rows])}`;
}

/** A moment as people in its zone write it: a date where the day begins, else date and time. */
function timeText(moment: string, zone: string): string {
  const local = Temporal.Instant.from(moment).toZonedDateTimeISO(zone).toPlainDateTime();
  const date = local.toPlainDate().toString();
  const time = local.toPlainTime().toString({ smallestUnit: 'minute' });
  return time === '00:00' ? date : `${date} ${time}`;
}

export function explainText(explanation: ExplainAnswer, colours: Colours): string {
  const { bold, dim } = colours;
  const { answer, steps, alternatives, releases = [] } = explanation;
  const head = isCheck(answer) ? checkText(answer, colours) : isPrices(answer) ? pricesText(answer) : '';
  const lines = [head, '', bold('Because')];
  for (const [index, { object, says }] of steps.entries()) {
    const kind = object.kind.split('/').at(-1) ?? object.kind;
    lines.push(
      `  ${index + 1}. ${says} ${dim(`${kind}/${object.name}@${object.revision.slice(0, revisionCharsShown)}`)}`,
    );
  }
  if (releases.length > 0) lines.push('', bold('Releases'), ...releases.map(({ says }) => `  · ${says}`));
  if (alternatives.length > 0) lines.push('', bold('Other plans'), ...alternatives.map(({ says }) => `  · ${says}`));
  return [...lines, ...snapshotLine(explanation, colours)].join('\n');
}

function isCheck(answer: ExplainAnswer['answer']): answer is CheckAnswer {
  return 'outcome' in answer;
}

function isPrices(answer: ExplainAnswer['answer']): answer is PricesAnswer {
  return 'prices' in answer;
}

export function snapshotLine({ snapshot }: Snapshot, { dim }: Colours): string[] {
  return snapshot === undefined
    ? []
    : [dim(`Answered from snapshot ${snapshot.version}, ${snapshot.ageSeconds} s old.`)];
}
