import { Argument, Option, type Command } from 'commander';
import { connecting, examples, type Verbs } from '../terminal/verbs.ts';
import type { DecideOptions } from './decide.ts';
import type { FlagOptions } from './flag.ts';
import type { ENDABLE, EndOptions, RecordOptions } from './record.ts';

/** Verbs that ask for decisions and records. */
export function addDecisionVerbs(verbs: Verbs): void {
  addCheck(verbs);
  addPrices(verbs);
  addExplain(verbs);
  addRecord(verbs);
  addEnd(verbs);
  addFlag(verbs);
}

function addCheck({ program, io, end }: Verbs): void {
  asking(program.command('check'))
    .description('ask whether a listener gets a feature: allow, degrade, upsell or deny')
    .argument('<feature>', 'the feature')
    .option('--plan <name>', 'the plan; else that of the listener')
    .option('--role <name>', 'the role of the listener on the plan')
    .addHelpText(
      'after',
      examples(
        'backline check offline --plan free --market de',
        'backline check audiobooks --listener u1',
        'backline check audio --plan premium --territory SE -o json',
      ),
    )
    .action(async (feature: string, options: DecideOptions) =>
      end(await (await import('./decide.ts')).check({ ...options, feature }, io)),
    );
}

function addPrices({ program, io, end }: Verbs): void {
  asking(program.command('prices'))
    .description('ask what plans cost in a market, now or at any moment')
    .option('--plan <name>', 'one plan; else all')
    .option('--interval <duration>', 'what one payment covers, like P1M')
    .addHelpText(
      'after',
      examples('backline prices --market de', 'backline prices --territory SE --plan premium --at 2027-01-01'),
    )
    .action(async (options: DecideOptions) => end(await (await import('./decide.ts')).prices(options, io)));
}

function addExplain({ program, io, end }: Verbs): void {
  asking(program.command('explain'))
    .description('ask why: the objects that led to an answer, as sentences')
    .argument('[feature]', 'the feature; without one, prices are explained')
    .option('--plan <name>', 'the plan; else that of the listener')
    .option('--role <name>', 'the role of the listener on the plan')
    .option('--interval <duration>', 'what one payment covers, like P1M')
    .addHelpText(
      'after',
      examples(
        'backline explain offline --plan free --market de',
        'backline explain --plan premium --market se --at 2027-01-01',
      ),
    )
    .action(async (feature: string | undefined, options: DecideOptions) =>
      end(await (await import('./decide.ts')).explain({ ...options, ...(feature !== undefined && { feature }) }, io)),
    );
}

function addRecord({ program, io, end }: Verbs): void {
  connecting(program.command('record'))
    .description('show all that is on record of a listener: subscription, grants, overrides, who changed what')
    .argument('<listener>', 'id of the listener')
    .addOption(new Option('-o, --output <form>', 'how').choices(['json', 'yaml']).default('yaml'))
    .addHelpText('after', examples('backline record u1'))
    .action(async (listener: string, options: RecordOptions) =>
      end(await (await import('./record.ts')).record(listener, options, io)),
    );
}

function addEnd({ program, io, end }: Verbs): void {
  connecting(program.command('end'))
    .description('take back what was bought or given by hand; what was used of it stays used')
    .addArgument(new Argument('<what>', 'what it is').choices(['grant', 'override', 'subscription']))
    .argument('<id>', 'its id, see backline record')
    .option('--until <instant>', 'of a grant: when it ends; else now')
    .option('--key <name>', 'repeats an earlier request; else it is a new one')
    .addOption(new Option('-o, --output <form>', 'how').choices(['json', 'yaml']).default('yaml'))
    .addHelpText(
      'after',
      examples('backline end override 5f0c…', 'backline end grant 9a1b… --until 2027-01-31T00:00:00Z'),
    )
    .action(async (what: keyof typeof ENDABLE, id: string, options: EndOptions) =>
      end(await (await import('./record.ts')).end(what, id, options, io)),
    );
}

function addFlag({ program, io, end }: Verbs): void {
  connecting(program.command('flag'))
    .description('ask what a flag is for one context, and why')
    .argument('<key>', 'the key of the flag')
    .option('--listener <id>', 'the targetingKey of the context')
    .option('--context <attributes...>', 'what is known of the listener, like plan=free')
    .addOption(new Option('-o, --output <form>', 'the answer as it came').choices(['json']))
    .addHelpText(
      'after',
      examples(
        'backline flag home-layout --listener u1 --context platform=ios appVersion=8.9.0',
        'backline flag gapless --listener u1 -o json',
      ),
    )
    .action(async (key: string, options: FlagOptions) => end(await (await import('./flag.ts')).flag(key, options, io)));
}

function asking(command: Command): Command {
  return connecting(command)
    .option('--market <name>', 'where the listener is: a market')
    .option('--territory <code>', 'where the listener is: a territory, like DE')
    .option('--channel <name>', 'a way to buy, like web')
    .option('--at <moment>', 'a date or an instant; else now')
    .option('--listener <id>', 'who asks: what is on record of them, and what a release under way shows them, counts')
    .addOption(new Option('-o, --output <form>', 'the answer as it came').choices(['json', 'yaml']));
}
