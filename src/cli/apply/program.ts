import { Argument, Option, type Command } from 'commander';
import { parseDuration } from '../release/duration-option.ts';
import { connecting, examples, type Verbs } from '../terminal/verbs.ts';
import type { ApplyOptions, ChangeOptions } from './apply.ts';
import type { DeleteOptions } from './delete.ts';
import type { ImportCliOptions, SOURCES } from './import.ts';

/** Verbs that change what is declared. */
export function addApplyVerbs(verbs: Verbs): void {
  addApply(verbs);
  addPlan(verbs);
  addDelete(verbs);
  addImport(verbs);
}

function addApply({ program, io, end }: Verbs): void {
  changing(program.command('apply'))
    .description('declare everything in some files as one atomic change: all or nothing')
    .option('--dry-run', 'check everything, change nothing')
    .option('--wait', 'follow its release until everybody gets it; ends with 1 and the reason when they do not')
    .option('--timeout <time>', 'how long to wait, like 10m; else for as long as it takes', parseDuration)
    .option('--allow-not-live', 'end with 0 although something that is declared is not live and no release carries it')
    .addHelpText(
      'after',
      examples(
        'backline apply -f business/',
        'backline apply -f plans.yaml -f prices.yaml --dry-run',
        'backline apply -f business/ --wait --timeout 10m',
        'backline apply -f business/ --prune -l team=growth',
      ),
    )
    .action(async (options: ApplyOptions) => end(await (await import('./apply.ts')).apply(options, io)));
}

function addPlan({ program, io, end }: Verbs): void {
  changing(program.command('plan'))
    .description(
      'show what apply would change, field by field, against what is live (ends with 2 when there are changes)',
    )
    .addHelpText(
      'after',
      examples('backline plan -f business/', 'backline plan -f - < plans.yaml', 'backline plan -f business/ -o json'),
    )
    .action(async (options: ChangeOptions) => end(await (await import('./apply.ts')).plan(options, io)));
}

function addDelete({ program, io, end }: Verbs): void {
  connecting(program.command('delete'))
    .description('delete objects, one after the other')
    .argument('[objects...]', 'KIND NAME…, KIND/NAME…, or KIND with -l')
    .option('-f, --filename <paths...>', 'the objects in files or folders, the last first; - for standard input')
    .option('-n, --namespace <name>', 'where they are')
    .option('-l, --selector <labels>', 'all of the kind with such labels, like tier=paid')
    .option('--dry-run', 'check everything, delete nothing')
    .option('--ignore-not-found', 'end with 0 although some were not there')
    .addHelpText(
      'after',
      examples(
        'backline delete flag gapless -n aria',
        'backline delete plan/lite price/lite-de -n aria',
        'backline delete -f old/ --dry-run',
        'backline delete flags -l team=growth -n aria',
      ),
    )
    .action(async (words: readonly string[], options: DeleteOptions) =>
      end(await (await import('./delete.ts')).deleteObjects(words, options, io)),
    );
}

function addImport({ program, io, end }: Verbs): void {
  connecting(program.command('import'))
    .description('turn the state of another flag tool into flags in which everybody keeps their variant')
    .addArgument(new Argument('<tool>', 'what the state is of').choices(['unleash', 'growthbook', 'flagd']))
    .argument('<file>', 'its state as JSON; - for standard input')
    .option('-n, --namespace <name>', 'where the objects go')
    .addOption(new Option('-o, --output <form>', 'how they are printed').choices(['yaml', 'json']).default('yaml'))
    .option('--apply', 'declare them as one atomic change instead of printing them')
    .option('--allow-not-live', 'with --apply: go on although something would not go live')
    .option('--skip-unsupported', 'go on without what cannot be carried over exactly')
    .option('--targeting-key <attribute>', 'the attribute there that contexts here say as targetingKey, like userId')
    .option(
      '--attribute <types...>',
      'types where the state does not tell them, like age=number or genres=string,multi',
    )
    .addOption(new Option('--bucketing <generation>', 'of flagd').choices(['flagd-v1', 'flagd-v2']))
    .option('--sticky-bucketing', 'GrowthBook: its SDKs have a sticky bucket service')
    .addHelpText(
      'after',
      examples(
        'backline import unleash export.json > flags.yaml',
        'backline import growthbook payload.json -n app --targeting-key id --apply',
      ),
    )
    .action(async (tool: (typeof SOURCES)[number], file: string, options: ImportCliOptions) =>
      end(await (await import('./import.ts')).importFlags(tool, file, options, io)),
    );
}

function changing(command: Command): Command {
  return connecting(command)
    .requiredOption('-f, --filename <paths...>', 'files, folders (with what is below them), or - for standard input')
    .option('-n, --namespace <name>', 'for objects that name none')
    .option(
      '--prune',
      'delete what has the labels of -l and is not in the files, after everything else; namespaces that no file names stay as they are',
    )
    .option('-l, --selector <labels>', 'with --prune: what may go, like team=growth')
    .addOption(new Option('-o, --output <form>', 'output JSON').choices(['json', 'yaml']));
}
