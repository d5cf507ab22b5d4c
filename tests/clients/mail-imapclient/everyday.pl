# What a program that uses Mail::IMAPClient does in a day. Argument: the port of IMAP.
# Prints, for each mailbox, what it believes lies there: `mailbox<TAB>subject<TAB>flags`.
use strict;
use warnings;
use Mail::IMAPClient;

my ($port) = @ARGV;

sub connection {
    my $imap = Mail::IMAPClient->new(
        Server => '127.0.0.1', Port => $port, User => 'u', Password => 'p',
        Uid => 1, Peek => 1, Timeout => 20, Maxcommandlength => 500, @_,
    ) or die "cannot connect: $@";
    return $imap;
}

sub text { "From: anna\@example.org\r\nTo: bob\@example.org\r\nSubject: $_[0]\r\nMessage-ID: <$_[0]\@example.org>\r\n\r\nHello.\r\n" }

sub same($$$) {
    my ($got, $wanted, $what) = @_;
    $got = 'undef' unless defined $got;
    die "$what: got [$got], wanted [$wanted]\n" unless $got eq $wanted;
}

my $imap = connection();
# Scalar context for the answer.
sub must($$) { my ($answer, $what) = @_; defined $answer or die "$what: ", $imap->LastError, "\n"; $answer }

must($imap->create($_), "create $_") for 'Sent', 'with "quotes" and space', 'Deep.er';
must($imap->rename('Deep.er', 'Deep.est'), 'rename');
must($imap->subscribe('Sent'), 'subscribe');
same(join(',', sort grep { !/^Deep$/ } $imap->folders), 'Deep.est,INBOX,Sent,with "quotes" and space', 'folders');
same(join(',', $imap->subscribed), 'Sent', 'subscribed');
same($imap->separator, '.', 'separator');
same($imap->is_parent('Deep') ? 1 : 0, 1, 'is_parent');
same($imap->exists('Sent') ? 1 : 0, 1, 'exists');
same($imap->exists('Nothing') ? 1 : 0, 0, 'exists not');
my $name = must($imap->namespace, 'namespace');
same($name->[0][0][1], '.', 'the separator that NAMESPACE gives');
same($imap->imap4rev1 ? 1 : 0, 1, 'IMAP4rev1');
same($imap->has_capability('UIDPLUS') ? 1 : 0, 1, 'UIDPLUS');

for my $subject (qw(one two three four five)) {
    my $flags = $subject eq 'one' ? '\Seen $Forwarded' : '';
    must($imap->append_string('INBOX', text($subject), $flags, '03-Feb-2021 04:05:06 +0000'), "append $subject");
}
my $uid = must($imap->append('Sent', text('sent')), 'append');
same($uid, 1, 'the UID that APPEND gave');

must($imap->select('INBOX'), 'select');
same($imap->message_count, 5, 'message_count');
same(scalar $imap->unseen_count, 4, 'unseen_count');
same($imap->uidnext('INBOX'), 6, 'uidnext');
same(join(',', $imap->messages), '1,2,3,4,5', 'messages');
same($imap->message_string(1), text('one'), 'message_string');
same($imap->body_string(2), "Hello.\r\n", 'body_string');
same($imap->bodypart_string(2, 1), "Hello.\r\n", 'bodypart_string');
same($imap->subject(3), 'three', 'subject');
same($imap->get_header(3, 'Message-ID'), '<three@example.org>', 'get_header');
same($imap->size(1), length text('one'), 'size');
same($imap->internaldate(1), '03-Feb-2021 04:05:06 +0000', 'internaldate');
my $headers = must($imap->parse_headers([1, 2], 'Subject', 'From'), 'parse_headers');
same($headers->{2}{Subject}[0], 'two', 'parse_headers');
my $hash = must($imap->fetch_hash('FLAGS', 'RFC822.SIZE', 'BODY.PEEK[HEADER.FIELDS (Subject)]'), 'fetch_hash');
same(scalar keys %$hash, 5, 'fetch_hash');
my $structure = must($imap->get_bodystructure(1), 'get_bodystructure');
same($structure->bodytype . '/' . $structure->bodysubtype, 'TEXT/PLAIN', 'bodystructure') if $structure->bodytype eq 'TEXT';
my $envelope = must($imap->get_envelope(4), 'get_envelope');
same($envelope->subject, 'four', 'envelope');
same($envelope->from_addresses, '<anna@example.org>', 'envelope');

same(join(',', $imap->search('SUBJECT', \'three')), '3', 'search');
same(join(',', $imap->search('OR FLAGGED SUBJECT "two"')), '2', 'search OR');
same(join(',', $imap->seen), '1', 'seen');
same(join(',', $imap->unseen), '2,3,4,5', 'unseen');
same(join(',', $imap->since(0)), '1,2,3,4,5', 'since');
same(join(',', $imap->sentbefore(0)), '', 'sentbefore');

must($imap->set_flag('Flagged', 2), 'set_flag');
must($imap->store('2', '+FLAGS.SILENT (Wichtig)'), 'store');
must($imap->unset_flag('Seen', 1), 'unset_flag');
must($imap->see(3), 'see');
same(join(',', sort grep { $_ ne '\Recent' } $imap->flags(2)), 'Wichtig,\Flagged', 'flags');
same($imap->copy('Sent', 1, 2), '2,3', 'the UIDs that COPY gave') if $imap->has_capability('UIDPLUS');
must($imap->move('with "quotes" and space', 4), 'move');
must($imap->delete_message(5), 'delete_message');
must($imap->restore_message(5), 'restore_message');
must($imap->delete_message(5), 'delete_message');
must($imap->uidexpunge('5'), 'uidexpunge');
must($imap->expunge, 'expunge');
same(join(',', $imap->messages), '1,2,3', 'messages after expunge');

# While it idles, another connection brings a message and removes one.
my $tag = must($imap->idle, 'idle');
my $other = connection();
must($other->append_string('INBOX', text('six')), 'append of another');
my $heard = '';
while ($heard !~ /4 EXISTS/) { $heard .= join '', @{ must($imap->idle_data(20), 'idle_data') } }
$other->select('INBOX');
$other->delete_message(2);
$other->expunge;
while ($heard !~ /2 EXPUNGE/) { $heard .= join '', @{ must($imap->idle_data(20), 'idle_data') } }
must($imap->done($tag), 'done');
$other->logout;
must($imap->noop, 'noop');

for my $folder ('INBOX', 'Sent', 'with "quotes" and space') {
    must($imap->examine($folder), "examine $folder");
    my $all = must($imap->fetch_hash('FLAGS', 'BODY[HEADER.FIELDS (SUBJECT)]'), 'fetch_hash');
    for my $uid (sort { $a <=> $b } keys %$all) {
        my ($subject) = $all->{$uid}{'BODY[HEADER.FIELDS (SUBJECT)]'} =~ /Subject: (.*?)\r\n/;
        my $flags = join ' ', sort grep { $_ ne '\Recent' } split ' ', $all->{$uid}{FLAGS};
        print join("\t", $folder, $subject, $flags), "\n";
    }
}
must($imap->close, 'close');
must($imap->delete('Deep.est'), 'delete');
must($imap->unsubscribe('Sent'), 'unsubscribe');
must($imap->logout, 'logout');
