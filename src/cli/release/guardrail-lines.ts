import { weightsIn, type Evidence, type Guardrail, type ReleaseObject } from './release-object.ts';
import { bar, line, pad, widthOf, wrapText, type Paint, type Piece } from './terminal-text.ts';
import type { View } from './view.ts';

const LIMITS = {
  /** Columns of the name of a guardrail. */
  nameMax: 24,
  /** From this width on the evidence of harm and of safety are side by side. */
  besideMin: 110,
  barMin: 8,
  barMax: 40,
  /** Lines of the judge's sentence. */
  sentenceLines: 3,
} as const;

const INDENT = '  ';

/** The verdict on each guardrail of a release, with the evidence and the threshold. */
export function guardrailLines(release: ReleaseObject, view: View): string[] {
  const judged = release.status?.guardrails ?? [];
  const declared = release.spec.policy?.spec.guardrails ?? [];
  const nameWidth = Math.min(LIMITS.nameMax, Math.max(0, ...declared.map(({ name }) => widthOf(name))));
  return declared.flatMap(({ name, shadow }) => {
    const guardrail = judged.find((one) => one.name === name);
    if (guardrail !== undefined) return linesOf(guardrail, nameWidth, view);
    return [line([pad(name, nameWidth), [view.colours.dim, `  not judged yet${shadowText(shadow)}`]], view.width)];
  });
}

function linesOf(guardrail: Guardrail, nameWidth: number, view: View): string[] {
  const { colours, width } = view;
  const { name, shadow, outcome, because, figures, unitsNeeded } = guardrail;
  const toPass = unitsNeeded?.toPass ?? undefined;
  const head: Piece[] = [
    [colours.bold, pad(name, nameWidth)],
    '  ',
    [outcomePaint(outcome, view), outcome.padEnd(OUTCOME_WIDTH)],
    [colours.dim, shadowText(shadow)],
    ...(toPass === undefined ? [] : [`  ${count(toPass)} more units`]),
    `  ${figuresText(figures)}`,
  ];
  return [
    line(head, width),
    ...evidenceLines(figures, view),
    ...wrapText(because, Math.max(1, width - INDENT.length), LIMITS.sentenceLines).map((text) =>
      line([INDENT, [colours.dim, text]], width),
    ),
  ];
}

/** Marks a shadow. */
function shadowText(shadow: boolean | undefined): string {
  return shadow === true ? ' (shadow: no effect)' : '';
}

const OUTCOME_WIDTH = 'providerDown'.length;

function outcomePaint(outcome: string, { colours: { green, red, cyan, yellow } }: View): Paint {
  if (outcome === 'pass') return green;
  if (outcome === 'fail') return red;
  return outcome === 'undecided' ? cyan : yellow;
}

/** The figures in a few words. */
function figuresText(figures: Guardrail['figures']): string {
  switch (figures.of) {
    case 'riskRatio': {
      const { ratio, bounds, candidate, stable } = figures;
      const counts = `${count(candidate.bad)}/${count(candidate.units)} against ${count(stable.bad)}/${count(stable.units)}`;
      if (ratio === null) return counts;
      const to = bounds.to === null ? '∞' : decimal(bounds.to);
      return `${decimal(ratio)}× (${decimal(bounds.from)}–${to})  ${counts}`;
    }
    case 'burnRate': {
      const { candidate, stable, rule } = figures;
      return `burns ${decimal(candidate.long)}× and ${decimal(candidate.short)}× of ${decimal(rule.factor)}×, stable ${decimal(stable.long)}×`;
    }
    case 'threshold': {
      const { value, units } = figures;
      return `${value === null ? 'no value yet' : decimal(value)}  of ${count(units)}`;
    }
    case 'nothing':
      return '';
    default:
      return figures satisfies never;
  }
}

function evidenceLines(figures: Guardrail['figures'], view: View): string[] {
  const { red, green } = view.colours;
  const { harm, safety } = weightsIn(figures);
  return sideBySide(
    [
      ...(harm === undefined ? [] : [{ label: 'harm', evidence: harm, paint: red }]),
      ...(safety === undefined ? [] : [{ label: 'safety', evidence: safety, paint: green }]),
    ],
    view,
  );
}

interface EvidenceBar {
  readonly label: string;
  readonly evidence: Evidence;
  readonly paint: Paint;
}

function sideBySide(weighed: readonly EvidenceBar[], view: View): string[] {
  const { width } = view;
  const isBeside = width >= LIMITS.besideMin && weighed.length > 1;
  const columns = Math.floor((width - INDENT.length) / (isBeside ? weighed.length : 1));
  const pieces = weighed.map((one) => barPieces(one, columns, view));
  if (isBeside) return [line([INDENT, ...pieces.flat()], width)];
  return pieces.map((one) => line([INDENT, ...one], width));
}

const LABEL_WIDTH = 'safety'.length + 1;
const NUMBERS_WIDTH = 22;

function barPieces({ label, evidence, paint }: EvidenceBar, columns: number, view: View): Piece[] {
  const barWidth = Math.min(LIMITS.barMax, Math.max(LIMITS.barMin, columns - LABEL_WIDTH - NUMBERS_WIDTH));
  const { value, needed } = evidence;
  const share = Math.log(Math.max(1, value)) / Math.log(Math.max(needed, 1 + Number.EPSILON));
  const { full, rest } = bar(share, barWidth);
  return [
    pad(label, LABEL_WIDTH),
    [paint, full],
    [view.colours.dim, rest],
    pad(`  ${factor(value)} of ${factor(needed)}`, NUMBERS_WIDTH),
  ];
}

/** Higher evidence is practically certain; its digits do not matter. */
const FACTOR_SHOWN_MAX = 100_000;

function factor(value: number): string {
  if (value > FACTOR_SHOWN_MAX) return `>${count(FACTOR_SHOWN_MAX)}`;
  return value >= 100 || Number.isInteger(value) ? count(Math.round(value)) : decimal(value);
}

const COUNTS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const DECIMALS = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

function count(value: number): string {
  return COUNTS.format(value);
}

function decimal(value: number): string {
  return DECIMALS.format(value);
}
