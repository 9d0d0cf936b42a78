import { isDeepStrictEqual } from 'node:util';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { CelCostError, CelError } from '#kernel/cel/cel-error.ts';
import type { Purse, CelProgram } from '#kernel/cel/cel.ts';
import { Optional, type Value } from '#kernel/cel/values.ts';
import { fieldNode, itemsBefore } from '#kernel/kinds/schema/correlate.ts';
import { getOwn, isObject } from '#kernel/kinds/schema/own.ts';
import { problemsMax } from '#kernel/kinds/schema/findings.ts';
import { forbiddenProblem } from '#kernel/kinds/schema/problems.ts';
import { typeName } from '#kernel/kinds/schema/types.ts';
import { RULE_LIMITS, type CompiledRule, type RuleNode } from '../kinds/compile-rules.ts';

/** A value and its old self; undefined where it has none. */
interface Pair {
  readonly now: unknown;
  readonly before: unknown;
}

interface Run {
  readonly problems: Problem[];
  readonly purse: Purse;
  readonly path: (string | number)[];
}

/**
 * Runs the rules of a schema on an object that passed the schema. A rule that compares with the old value runs where there is
 * one: through fields, keys of maps, and items of map lists. Any other rule is let be where the value is as it was.
 */
export function runRules(root: RuleNode, now: unknown, before: unknown): readonly Problem[] {
  const run: Run = { problems: [], purse: { units: RULE_LIMITS.objectCostMax }, path: [] };
  visit(root, { now, before }, run);
  return run.problems;
}

function visit(place: RuleNode, pair: Pair, run: Run): void {
  if (pair.now === undefined || pair.now === null || isOver(run)) return;
  for (const rule of place.rules) {
    runRule(rule, pair, run);
    if (isOver(run)) return;
  }
  if (isObject(pair.now)) visitFields(place, pair, run);
  else if (Array.isArray(pair.now)) visitItems(place, pair, run);
}

/** Whether nothing more is run: there are enough problems, or no units left. */
function isOver({ problems, purse }: Run): boolean {
  return problems.length >= problemsMax || purse.units <= 0;
}

function visitFields(place: RuleNode, { now, before }: Pair, run: Run): void {
  if (!isObject(now)) return;
  const old = isObject(before) ? before : undefined;
  const child = (name: string, rules: RuleNode): void => {
    run.path.push(name);
    visit(rules, { now: getOwn(now, name), before: old && getOwn(old, name) }, run);
    run.path.pop();
  };
  for (const [name, rules] of place.properties) child(name, rules);
  if (place.additional === undefined) return;
  for (const name of Object.keys(now))
    if (fieldNode(place.node, name) === place.node.additional) child(name, place.additional);
}

function visitItems({ items, node }: RuleNode, { now, before }: Pair, run: Run): void {
  if (items === undefined || !Array.isArray(now)) return;
  const selfBefore = itemsBefore(node, Array.isArray(before) ? before : []);
  for (const [index, item] of now.entries()) {
    run.path.push(index);
    visit(items, { now: item, before: selfBefore(item) }, run);
    run.path.pop();
  }
}

function runRule(rule: CompiledRule, { now, before }: Pair, run: Run): void {
  if (before === undefined && !rule.isAlways) return;
  if (before !== undefined && !rule.isTransition && isDeepStrictEqual(now, before)) return;
  const values = rule.isTransition ? { self: now as Value, oldSelf: oldValue(rule, before) } : { self: now as Value };
  try {
    const held = rule.program.run(values, RULE_LIMITS.runCostMax, run.purse);
    if (held === true) return;
    add(run, rule, now, messageOf(rule, values, run.purse));
  } catch (error) {
    if (error instanceof CelCostError) {
      const path = [...run.path];
      run.problems.push(
        run.purse.units <= 0
          ? forbiddenProblem(
              path,
              'validation failed due to running out of cost budget, no further validation rules will be run',
            )
          : forbiddenProblem(
              path,
              `validation cost limit exceeded, the rule may cost ${RULE_LIMITS.runCostMax} units: ${rule.rule}`,
            ),
      );
    } else if (error instanceof CelError) {
      add(run, rule, now, `rule evaluation error: ${error.message} evaluating rule: ${rule.text}`);
    } else throw error;
  }
}

function oldValue({ isAlways }: CompiledRule, before: unknown): Value {
  if (!isAlways) return before as Value;
  return before === undefined ? Optional.NONE : new Optional(before as Value);
}

const REASONS = {
  FieldValueInvalid: 'Invalid value',
  FieldValueForbidden: 'Forbidden',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
} as const;

function add(run: Run, { reason, below }: CompiledRule, value: unknown, message: string): void {
  const path: Path = [...run.path, ...below];
  const shown =
    reason === 'FieldValueInvalid' || reason === 'FieldValueDuplicate' ? `: ${JSON.stringify(typeName(value))}` : '';
  run.problems.push({ path, reason, detail: `${REASONS[reason]}${shown}: ${message}` });
}

/** As in Kubernetes, an expression that fails, or gives no line or several, gives way to the fixed text. */
function messageOf({ message, text }: CompiledRule, values: Parameters<CelProgram['run']>[0], purse: Purse): string {
  if (message === undefined) return text;
  try {
    const made = message.run(values, RULE_LIMITS.runCostMax, purse);
    return typeof made === 'string' && made.trim() !== '' && !made.includes('\n') ? made.trim() : text;
  } catch (error) {
    if (!(error instanceof CelError) && !(error instanceof CelCostError)) throw error;
    return text;
  }
}
