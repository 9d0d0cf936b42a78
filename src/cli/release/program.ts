import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ConnectionOptions } from '../api/connection.ts';
import { connecting, examples, numberOf, type Verbs } from '../terminal/verbs.ts';
import type { CommandOptions } from './commands.ts';
import { parseUntil } from './duration-option.ts';
import type { JudgeOptions } from './judge.ts';
import type { ListOptions } from './list.ts';
import type { CommandVerb } from './release-api.ts';
import type { ShowOptions } from './show.ts';

const REASON = ['-m, --reason <text>', 'why; it is kept in the history of the release'] as const;
const REASON_CHARS_MAX = 500;
const LIST_MAX = 2_500;
const MARGIN_MAX = 20;

/** Adds `backline release …`. */
export function addReleaseVerbs({ program, io, end }: Verbs): void {
  const release = program
    .command('release')
    .description('see how changes go live, and say how they go on')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'backline release list --open',
        'backline release watch premium-4211',
        'backline release approve premium-4211 -m "looks right"',
        'backline release rollback premium-4211 -m "too many denials"',
      ) + '\nThe beginning of a name is enough where no other begins so.\n',
    );

  connecting(release.command('list'))
    .description('list releases, the newest first')
    .option('--open', 'only those that have not come to their end')
    .option('--policy <name>', 'only those of a policy')
    .option('--limit <number>', 'how many at most', numberOf(1, LIST_MAX), 30)
    .option('--wide', 'with what they change, the plan hash, the authors and the message')
    .option('--json', 'for programs')
    .addHelpText('after', examples('backline release list', 'backline release list --open --policy prices --wide'))
    .action(async (options: ListOptions) => end(await (await import('./list.ts')).listAll(options, io)));

  connecting(release.command('show'))
    .description('show a release: what it changes field by field, stages, guardrails, approvals, pins and history')
    .argument('<name>', 'its name, or the beginning of it')
    .option('--all', 'with every object that it changes, and what that means')
    .option('--json', 'for programs')
    .addHelpText('after', examples('backline release show premium-4211', 'backline release show premium-4211 --all'))
    .action(async (name: string, options: ShowOptions) =>
      end(await (await import('./show.ts')).showRelease(name, options, io)),
    );

  connecting(release.command('judge'))
    .description('judge anew what was measured of a release, by the judge of now; changes nothing')
    .argument('<name>', 'its name, or the beginning of it')
    .option('--guardrail <name>', 'only this one')
    .option('--margin <number>', 'instead of that of the guardrails that compare', parseMargin)
    .option('--replay', 'window by window: ends with 1 where the release says something else')
    .addOption(new Option('-o, --output <form>', 'for programs').choices(['json']))
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
    .description('follow a release to its end, or all that are open: live on a terminal, else a line for each change')
    .argument('[name]', 'its name, or the beginning of it')
    .addHelpText(
      'after',
      `${examples('backline release watch premium-4211', 'backline release watch')}\nOf one release: ends with 0 when everybody gets it, else with 1 and the reason.\n`,
    )
    .action(async (name: string | undefined, options: ConnectionOptions) =>
      end(await (await import('./watch.ts')).watch(name, options, io)),
    );

  const verb = (name: Exclude<CommandVerb, 'abort' | 'rollback'>, description: string): Command =>
    connecting(release.command(name))
      .description(description)
      .argument('<name>', 'its name, or the beginning of it')
      .option(...REASON)
      .action(async (given: string, options: CommandOptions) =>
        end(await (await import('./commands.ts')).tell(name, given, options, io)),
      );

  verb('approve', 'agree that a release begins; who wrote any of the change cannot')
    .option(
      '--plan <hash>',
      'of the plan that was read, as show prints it (32 characters or more): refused when it is another by now',
    )
    .addHelpText(
      'after',
      examples('backline release approve premium-4211 --plan 3fa812cc90aa5d1e8b7f60c2d94e1f3a5b6c7d80 -m "as agreed"'),
    );
  verb('pause', 'let a release reach nobody new').addHelpText(
    'after',
    examples('backline release pause premium-4211 -m "odd numbers in Spain"'),
  );
  verb('resume', 'let a paused release go on; the soak of its stage begins anew').addHelpText(
    'after',
    examples('backline release resume premium-4211'),
  );
  verb('promote', 'let a release go on from its stage without waiting for the rest of the soak')
    .option('--force', 'also without evidence; needs a reason, and is not for who made the change')
    .addHelpText(
      'after',
      examples(
        'backline release promote premium-4211',
        'backline release promote premium-4211 --force -m "the metric is broken"',
      ),
    );
  verb('pin', 'keep what a release changed as it is: any other change is refused')
    .option('--until <moment>', 'when it ends by itself: a moment, or a length of time like 24h', parseUntil)
    .addHelpText('after', examples('backline release pin premium-4211 --until 24h -m "campaign"'));
  verb('unpin', 'let go of what was pinned for a release, by its rollback or by hand').addHelpText(
    'after',
    examples('backline release unpin premium-4211'),
  );
  verb('seal', 'end collecting: the release of a group takes in nothing more, and goes its way').addHelpText(
    'after',
    examples('backline release seal spring-4211'),
  );

  const taking = (name: 'abort' | 'rollback', description: string): Command =>
    connecting(release.command(name))
      .description(description)
      .argument('<name>', 'its name, or the beginning of it')
      .option(...REASON)
      .action(async (given: string, options: CommandOptions) =>
        end(await (await import('./commands.ts')).takeBack(name, given, options, io)),
      );
  taking(
    'abort',
    'end a release that is under way: what was live is declared again, and may be changed again',
  ).addHelpText('after', examples('backline release abort premium-4211 -m "wrong file"'));
  taking('rollback', 'take a release back, also when everybody has it: the same change is then refused').addHelpText(
    'after',
    examples('backline release rollback premium-4211 -m "too many denials"'),
  );

  connecting(release.command('stop-all'))
    .description('stop every release and every change: nothing reaches anybody new; abort and rollback still pass')
    .requiredOption('-m, --reason <text>', 'why; everybody who waits is told', parseReason)
    .addHelpText('after', examples('backline release stop-all -m "incident with payments"'))
    .action(async ({ reason, ...options }: ConnectionOptions & { readonly reason: string }) =>
      end(await (await import('./commands.ts')).stopEverything(reason, options, io)),
    );

  connecting(release.command('resume-all'))
    .description('let releases and changes go on after stop-all')
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
