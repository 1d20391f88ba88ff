import { Argument, Command } from 'commander'
import type { RawWhoOptions } from './who.js'

export function command(): Command {
  return new Command('who')
    .description('tell who has a port, a file, a library or a namespace')
    .usage('[options] <what>')
    .addArgument(new Argument('[what]', ':PORT, a path, a library such as libssl, or net:[INODE]'))
    .option('--remote', 'with :PORT also sockets whose other end has it')
    .option('-j, --json', 'JSON: found, and unreadable with whom this user may not look into')
    .addHelpText('after', HELP)
    .action(async (what: string | undefined, raw: RawWhoOptions) =>
      (await import('./who.js')).tellWho(what, raw),
    )
}

const HELP = `
  Ports are looked for in every network namespace that a visible process is in, in containers too;
  another than muster's own is named. A file is found by
  its device and inode, under whatever name; a library also in a version that was replaced since.

Examples:
  muster who :80
  muster who /var/log/syslog
  muster who /usr                    also who is in that directory
  muster who libssl
  muster who 'net:[4026531840]'

Exit codes: 0 found; 2, 3, 4 bad input; 5 nobody found. \`muster --help\` lists all.`
