import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ConnectionOptions } from '../api/connection.ts';
import { connecting, examples, numberOf, type Verbs } from '../terminal/verbs.ts';
import type { CommandOptions } from './commands.ts';
import { parseUntil } from './duration-option.ts';
import type { JudgeOptions } from './judge.ts';
import type { ListOptions } from './list.ts';
import type { CommandVerb } from './release-api.ts';
import type { ShowOptions } from './show.ts';

const REASON = ['-m, --reason <text>', 'reason, for the history of the release'] as const;
const REASON_CHARS_MAX = 500;
const LIST_MAX = 2_500;
const MARGIN_MAX = 20;

/** Adds `backline release …`. */
export function addReleaseVerbs({ program, io, end }: Verbs): void {
  const release = program
    .command('release')
    .description('list, follow and control releases')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'backline release list --open',
        'backline release watch premium-4211',
        'backline release approve premium-4211 -m "looks right"',
        'backline release rollback premium-4211 -m "too many denials"',
      ) + '\nA unique prefix of a name is enough.\n',
    );
  const parts = { release, io, end };
  addReadingVerbs(parts);
  addControllingVerbs(parts);
  addVerbsForAll(parts);
}

/** The command that the verbs are added to. */
type Parts = Pick<Verbs, 'io' | 'end'> & { readonly release: Command };

function addReadingVerbs({ release, io, end }: Parts): void {
  connecting(release.command('list'))
    .description('list releases, the newest first')
    .option('--open', 'only open releases')
    .option('--policy <name>', 'only releases of this policy')
    .option('--limit <number>', 'maximum number', numberOf(1, LIST_MAX), 30)
    .option('--wide', 'also show changes, plan hash, authors and message')
    .option('--json', 'output JSON')
    .addHelpText('after', examples('backline release list', 'backline release list --open --policy prices --wide'))
    .action(async (options: ListOptions) => end(await (await import('./list.ts')).listAll(options, io)));

  connecting(release.command('show'))
    .description('show a release: changes by field, stages, guardrails, approvals, pins and history')
    .argument('<name>', 'name of the release, or a unique prefix')
    .option('--all', 'show all objects, and the change in sentences')
    .option('--json', 'output JSON')
    .addHelpText('after', examples('backline release show premium-4211', 'backline release show premium-4211 --all'))
    .action(async (name: string, options: ShowOptions) =>
      end(await (await import('./show.ts')).showRelease(name, options, io)),
    );

  connecting(release.command('judge'))
    .description('judge the stored measurements of a release again; changes nothing')
    .argument('<name>', 'name of the release, or a unique prefix')
    .option('--guardrail <name>', 'only this guardrail')
    .option('--margin <number>', 'margin of noWorse guardrails, instead of that of the policy', parseMargin)
    .option('--replay', 'judge every window; exit code 1 where the release has another verdict')
    .addOption(new Option('-o, --output <form>', 'output JSON').choices(['json']))
    .addHelpText(
      'after',
      examples(
        'backline release judge premium-4211',
        'backline release judge premium-4211 --guardrail denials --margin 2',
        'backline release judge premium-4211 --replay',
      ),
    )
    .action(async (name: string, options: JudgeOptions) =>
      end(await (await import('./judge.ts')).judgeRelease(name, options, io)),
    );

  connecting(release.command('watch'))
    .description('follow a release to its end, or all open ones: live on a terminal, otherwise a line for each change')
    .argument('[name]', 'name of the release, or a unique prefix')
    .addHelpText(
      'after',
      `${examples('backline release watch premium-4211', 'backline release watch')}\nWith a name: exit code 0 when it is promoted, otherwise 1 with the reason.\n`,
    )
    .action(async (name: string | undefined, options: ConnectionOptions) =>
      end(await (await import('./watch.ts')).watch(name, options, io)),
    );
}

function addControllingVerbs({ release, io, end }: Parts): void {
  const verb = (name: Exclude<CommandVerb, 'abort' | 'rollback'>, description: string): Command =>
    connecting(release.command(name))
      .description(description)
      .argument('<name>', 'name of the release, or a unique prefix')
      .option(...REASON)
      .action(async (given: string, options: CommandOptions) =>
        end(await (await import('./commands.ts')).sendCommand(name, given, options, io)),
      );

  verb('approve', 'approve a release; authors of the change cannot')
    .option(
      '--plan <hash>',
      'hash of the reviewed plan, as show prints it (32 characters or more): refused when the plan has changed',
    )
    .addHelpText(
      'after',
      examples('backline release approve premium-4211 --plan 3fa812cc90aa5d1e8b7f60c2d94e1f3a5b6c7d80 -m "as agreed"'),
    );
  verb('pause', 'pause a release: it reaches no new users').addHelpText(
    'after',
    examples('backline release pause premium-4211 -m "odd numbers in Spain"'),
  );
  verb('resume', 'resume a paused release; the soak of its stage restarts').addHelpText(
    'after',
    examples('backline release resume premium-4211'),
  );
  verb('promote', 'promote a release from its stage, without the rest of the soak')
    .option('--force', 'also without evidence; needs a reason; authors of the change cannot')
    .addHelpText(
      'after',
      examples(
        'backline release promote premium-4211',
        'backline release promote premium-4211 --force -m "the metric is broken"',
      ),
    );
  verb('pin', 'pin the objects of a release: every change of them is refused')
    .option('--until <moment>', 'expiry: a time, or a duration like 24h', parseUntil)
    .addHelpText('after', examples('backline release pin premium-4211 --until 24h -m "campaign"'));
  verb('unpin', 'remove the pins of a release, from its rollback or by hand').addHelpText(
    'after',
    examples('backline release unpin premium-4211'),
  );
  verb('seal', 'seal a group: its release collects no more changes, and starts').addHelpText(
    'after',
    examples('backline release seal spring-4211'),
  );

  const taking = (name: 'abort' | 'rollback', description: string): Command =>
    connecting(release.command(name))
      .description(description)
      .argument('<name>', 'name of the release, or a unique prefix')
      .option(...REASON)
      .action(async (given: string, options: CommandOptions) =>
        end(await (await import('./commands.ts')).endRelease(name, given, options, io)),
      );
  taking(
    'abort',
    'abort an open release: the live state is declared again; the same change may be applied again',
  ).addHelpText('after', examples('backline release abort premium-4211 -m "wrong file"'));
  taking('rollback', 'roll a release back, also a promoted one: the same change is then refused').addHelpText(
    'after',
    examples('backline release rollback premium-4211 -m "too many denials"'),
  );
}

/** The stop switch. */
function addVerbsForAll({ release, io, end }: Parts): void {
  connecting(release.command('stop-all'))
    .description('stop every release and every change: no new users are reached; abort and rollback are still allowed')
    .requiredOption('-m, --reason <text>', 'reason, shown on every held release', parseReason)
    .addHelpText('after', examples('backline release stop-all -m "incident with payments"'))
    .action(async ({ reason, ...options }: ConnectionOptions & { readonly reason: string }) =>
      end(await (await import('./commands.ts')).stopEverything(reason, options, io)),
    );

  connecting(release.command('resume-all'))
    .description('resume releases and changes after stop-all')
    .addHelpText('after', examples('backline release resume-all'))
    .action(async (options: ConnectionOptions) =>
      end(await (await import('./commands.ts')).resumeEverything(options, io)),
    );
}

function parseReason(text: string): string {
  if (text.trim() === '' || text.length > REASON_CHARS_MAX)
    throw new InvalidArgumentError(`It must have from 1 to ${REASON_CHARS_MAX} characters.`);
  return text;
}

function parseMargin(text: string): number {
  const margin = Number(text);
  if (text.trim() === '' || !(margin > 1 && margin <= MARGIN_MAX))
    throw new InvalidArgumentError(`It must be above 1, and ${MARGIN_MAX} at most.`);
  return margin;
}
