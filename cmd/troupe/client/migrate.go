package client

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/cmd/troupe/migrate"
	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

func (r *registryApp) migrateCommand() *cobra.Command {
	c := r.app.group("migrate", "Come from another cloud: nacos", r.migrateNacos())
	for _, below := range c.Commands() {
		below.PreRunE = r.checkOutput
	}
	return c
}

// migration is one copy of a Nacos, as it was ordered.
type migration struct {
	from    nacos.Server
	plan    migrate.Plan
	journal string // file
}

func (m *migration) flags(f *pflag.FlagSet) {
	f.StringVar(&m.from.URL, "from", "", "address of the Nacos, such as http://nacos:8848")
	f.StringVar(&m.from.Username, "from-username", "", "who logs in there")
	f.StringVar(&m.from.Password, "from-password", "", "the password; better in TROUPE_FROM_PASSWORD")
	f.StringSliceVar(&m.plan.Namespaces, "namespaces", nil, "ids of the namespaces to copy (default all)")
	f.IntVar(&m.plan.History, "history", 20, "how many changes of each config's history to copy, the newest; 0: none")
	f.BoolVar(&m.plan.Overwrite, "overwrite", false, "also configs that are at the target and differ")
	f.BoolVar(&m.plan.NoRights, "no-rights", false, "leave out roles and permissions")
	f.IntVar(&m.plan.Parallel, "parallel", 4, "how many items at a time")
	f.StringVar(&m.journal, "journal", "nacos-migration.journal", "file that remembers what is done")
}

func (r *registryApp) migrateNacos() *cobra.Command {
	var m migration
	c := &cobra.Command{
		Use: "nacos --from URL", Short: "Copy namespaces, configs and persistent services of a running Nacos", Args: exactly(0),
		Long: "Copy namespaces, configs with their history, and persistent services of a running Nacos, 1.x to 3.x, into\n" +
			"the registry. Nothing changes at the source. Services that their clients keep alive are not copied: the\n" +
			"clients register by themselves once they are pointed at the registry. Of gray versions betas are copied;\n" +
			"versions for tags are shown to nobody who does not know the tag. Permissions of roles are copied, and roles\n" +
			"given to users of the same names; users themselves have to be made, for their passwords are shown to\n" +
			"nobody, and are named at the end: make them, and run it again. The role ROLE_ADMIN is given to nobody.\n" +
			"The times of the history are those of the copy.\n\n" +
			"It may be broken off, and run again: the journal says what is done. Remove the journal to have everything\n" +
			"looked at once more, such as changes at the source since; what is the same on both sides costs two reads.\n\n" + credentialsHelp,
		Example: "  TROUPE_FROM_PASSWORD=... troupe migrate nacos --from http://nacos:8848 --from-username nacos",
		RunE:    r.asked(func(cmd *cobra.Command, c *nacos.Client, _ []string) error { return r.migrate(cmd, c, m) }),
	}
	f := c.Flags()
	r.serverFlags(f)
	f.StringVarP(&r.output, "output", "o", formatTable, "form of the output: table, json or yaml")
	m.flags(f)
	_ = c.MarkFlagRequired("from") // it is there
	return c
}

// migrate does it, and shows what came of it.
func (r *registryApp) migrate(cmd *cobra.Command, c *nacos.Client, m migration) (err error) {
	if m.from.Username != "" && m.from.Password == "" {
		m.from.Password = os.Getenv("TROUPE_FROM_PASSWORD")
	}
	m.plan.To = c
	if m.plan.From, err = nacos.New(m.from); err != nil {
		return usage(err)
	}
	if m.plan.History < 0 || m.plan.History > migrate.MaxHistory || m.plan.Parallel < 1 || m.plan.Parallel > migrate.MaxParallel {
		return usage(fmt.Errorf("--history is 0 to %d, --parallel 1 to %d", migrate.MaxHistory, migrate.MaxParallel))
	}
	target := first(r.server, os.Getenv("TROUPE_REGISTRY_SERVER"), defaultServer)
	if m.plan.Journal, err = migrate.OpenJournal(m.journal, m.from.URL, target); err != nil {
		return usage(err)
	}
	defer m.plan.Journal.Close()
	m.plan.Tell = func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
	report, err := migrate.Run(cmd.Context(), m.plan)
	if shown := show(cmd, &r.app, report, migrationColumns); err == nil {
		err = shown
	}
	for _, p := range report.Problems {
		fmt.Fprintln(cmd.ErrOrStderr(), printable(p))
	}
	if err == nil && report.Failed > 0 {
		err = fmt.Errorf("%d items could not be copied: run it again to go on", report.Failed)
	}
	return err
}

func number(get func(migrate.Report) int) func(migrate.Report) string {
	return func(r migrate.Report) string { return fmt.Sprint(get(r)) }
}

var migrationColumns = []column[migrate.Report]{
	{"namespaces created", number(func(r migrate.Report) int { return r.Namespaces })},
	{"configs copied", number(func(r migrate.Report) int { return r.Configs })},
	{"configs already there", number(func(r migrate.Report) int { return r.Same })},
	{"configs that differ, left", number(func(r migrate.Report) int { return r.Differing })},
	{"changes of histories copied", number(func(r migrate.Report) int { return r.Rows })},
	{"betas copied", number(func(r migrate.Report) int { return r.Betas })},
	{"services copied", number(func(r migrate.Report) int { return r.Services })},
	{"endpoints copied", number(func(r migrate.Report) int { return r.Endpoints })},
	{"services of clients, not copied", number(func(r migrate.Report) int { return r.Ephemeral })},
	{"permissions copied", number(func(r migrate.Report) int { return r.Permissions })},
	{"roles given to users", number(func(r migrate.Report) int { return r.Roles })},
	{"users to be made", func(r migrate.Report) string { return strings.Join(r.Users, ", ") }},
	{"done by an earlier run", number(func(r migrate.Report) int { return r.Done })},
	{"failed", number(func(r migrate.Report) int { return r.Failed })},
}
