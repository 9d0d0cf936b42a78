import { Option, type Command } from 'commander';
import { connecting, examples, type Verbs } from '../terminal/verbs.ts';
import type { DraftOptions } from './draft-api.ts';
import type { PublishOptions } from './publish.ts';
import type { ListOptions } from './read.ts';
import type { SaveOptions } from './save.ts';

/** Adds `backline draft …`. */
export function addDraftVerbs({ program, io, end }: Verbs): void {
  const draft = program
    .command('draft')
    .description('prepare many objects together, validate them, and publish them in one write')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'backline draft save -f campaign/ spring --account acme',
        'backline draft validate spring',
        'backline draft show spring',
        'backline draft publish spring',
      ),
    );
  const parts = { draft, io, end };
  addSave(parts);
  addReading(parts);
  addPublish(parts);
  addDiscard(parts);
}

/** The command that the verbs are added to. */
type Parts = Pick<Verbs, 'io' | 'end'> & { readonly draft: Command };

function aboutOne(command: Command): Command {
  return connecting(command)
    .argument('<name>', 'name of the draft')
    .option('-n, --namespace <name>', 'where the draft is');
}

function output(): Option {
  return new Option('-o, --output <form>', 'output JSON or YAML').choices(['json', 'yaml']);
}

function addSave({ draft, io, end }: Parts): void {
  aboutOne(draft.command('save'))
    .description('make a draft of everything in some files, or make it what they have now')
    .requiredOption('-f, --filename <paths...>', 'files, folders (with what is below them), or - for standard input')
    .option('--title <text>', 'what it is for')
    .option('--account <name>', 'the account it is of, for users with the rights of one account')
    .option('--rebase', 'build on what is declared now; else objects of the draft build on what was there at first')
    .addOption(output())
    .addHelpText(
      'after',
      examples(
        'backline draft save spring -f campaign/ --account acme --title "Spring campaign"',
        'backline draft save spring -f campaign/ --rebase',
      ),
    )
    .action(async (name: string, options: SaveOptions) =>
      end(await (await import('./save.ts')).saveDraft(name, options, io)),
    );
}

function addReading({ draft, io, end }: Parts): void {
  connecting(draft.command('list'))
    .description('list drafts')
    .option('-n, --namespace <name>', 'where to look')
    .option('-A, --all-namespaces', 'look everywhere')
    .option('--account <name>', 'only drafts of this account')
    .addOption(output())
    .addHelpText('after', examples('backline draft list', 'backline draft list -A --account acme'))
    .action(async (options: ListOptions) => end(await (await import('./read.ts')).listDrafts(options, io)));

  aboutOne(draft.command('show'))
    .description('show what publishing a draft would change against what is live, and what keeps it from that')
    .addOption(output())
    .addHelpText('after', examples('backline draft show spring', 'backline draft show spring -o json'))
    .action(async (name: string, options: DraftOptions) =>
      end(await (await import('./read.ts')).showDraft(name, options, io)),
    );

  aboutOne(draft.command('validate'))
    .description('find everything that keeps a draft from being published, with remedies; changes nothing')
    .addOption(output())
    .addHelpText(
      'after',
      `${examples('backline draft validate spring', 'backline draft validate spring -o json')}\nExit code 0 when it can be published, otherwise 1.\n`,
    )
    .action(async (name: string, options: DraftOptions) =>
      end(await (await import('./read.ts')).validate(name, options, io)),
    );
}

function addPublish({ draft, io, end }: Parts): void {
  aboutOne(draft.command('publish'))
    .description('declare everything in a draft in one write, all or nothing; the draft is gone with it')
    .option('--uid <uid>', 'repeat a publication whose answer got lost: the metadata.uid of the draft')
    .addOption(output())
    .addHelpText('after', examples('backline draft publish spring', 'backline draft publish spring -o json'))
    .action(async (name: string, options: PublishOptions) =>
      end(await (await import('./publish.ts')).publish(name, options, io)),
    );
}

function addDiscard({ draft, io, end }: Parts): void {
  aboutOne(draft.command('discard'))
    .description('delete a draft; what is declared stays as it is')
    .addHelpText('after', examples('backline draft discard spring'))
    .action(async (name: string, options: DraftOptions) =>
      end(await (await import('./read.ts')).discardDraft(name, options, io)),
    );
}
