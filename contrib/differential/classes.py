"""The classes of differences: for each its name, what Dovecot does otherwise, and the sentence of an RFC that is on
Culver's side. Ordered from the outermost cause to the innermost. What recognises them is in `explain.py`; it looks at the message's octets, not only at the answers."""

CLASSES = {
    # Structure.
    "nested-line-end": (
        "counts the line end before a delimiter to the part before it, where that part is a multipart or a message",
        "RFC 2046 5.1.1: The CRLF preceding the boundary delimiter line is conceptually attached to the boundary so that it is possible to "
        "have a part that does not end with a CRLF (line break)."),
    "boundary-spaces": (
        "takes the spaces at the end of a boundary for a part of it",
        "RFC 2046 5.1.1: boundary := 0*69<bchars> bcharsnospace"),
    "boundary-prefix": (
        "takes a delimiter of the outer of two multiparts for the end of the inner one, whose boundary is the beginning of the outer's",
        "RFC 2046 5.1.2: MIME implementations are therefore required to recognize outer level boundary markers at ANY level of inner "
        "nesting."),
    "boundary-long": (
        "compares no more than the first octets of a very long boundary",
        "RFC 2046 5.1.1: it is sufficient that the boundary appear in its entirety following the CRLF."),
    "parameter-names": (
        "writes name* as name*0*",
        "RFC 2231 7: extended-initial-name := attribute [initial-section] \"*\""),
    "not-mime": (
        "does not read MIME fields where there is neither MIME-Version nor Content-Type",
        "RFC 7103 8.1: It is prudent to disregard this absence and conduct analysis of the message as if it were present"),
    "type-twice": (
        "shows the first of two Content-Type fields in BODYSTRUCTURE and searches by the last",
        "RFC 3501 6.4.4: Messages that contain the specified string in the body of the message."),
    "type-invalid": (
        "shows a type that cannot be read as empty, or as application/octet-stream",
        "RFC 2045 5.2: It is also recommend that this default be assumed when a syntactically invalid "
        "Content-Type header field is encountered."),
    "type-case": (
        "shows the commonest type in lower case, though others as written",
        "RFC 2045 5.1: The type, subtype, and parameter names are not case sensitive. Both answers say the same; Culver's is what "
        "BODY[n.MIME] has."),
    "parameters-broken": (
        "ends the list of parameters at the first that is broken; Culver passes over it",
        "RFC 2045 5.1: MIME implementations must ignore any parameters whose names they do not recognize. A broken one is such; "
        "those that follow are none. A value without its quotes (RFC 7103 7.1.6 for addresses: \"the more obvious and likely best "
        "interpretation\") goes on to white space or the next semicolon."),
    "encoding-broken": (
        "says 7bit where something follows the transfer encoding's token; Culver shows the token",
        "RFC 2045 6.1: \"Content-Transfer-Encoding: 7BIT\" is assumed if the Content-Transfer-Encoding header field is not present. It "
        "is present, and its first token is what the body is encoded in."),
    "languages-broken": (
        "ends the list of languages at the first mistake; Culver passes over it",
        "RFC 3501 7.4.2: A string or parenthesized list giving the body language value as defined in [LANGUAGE-TAGS]. The tags that "
        "can be read are those."),
    "disposition-twice": (
        "takes the last of several Content-Disposition fields if those before have no parameters",
        "RFC 7103 7.5: Some popular open-source filtering programs and some popular Mailing List Management (MLM) packages select "
        "either the first or last instance of a particular field name. Both servers take the first of all other MIME fields; Culver "
        "of this one, too."),
    "multipart-empty": (
        "does not look into a multipart in which no part is found; Culver reads it as text",
        "RFC 3501 6.4.4: Messages that contain the specified string in the body of the message."),
    "multipart-encoded": (
        "decodes a multipart that says it has a transfer encoding",
        "RFC 2045 6.4: If an entity is of type \"multipart\" the Content-Transfer-Encoding is not permitted to have any value other than "
        "\"7bit\", \"8bit\" or \"binary\"."),
    "message-encoded": (
        "does not look into a message that has a transfer encoding of its own",
        "RFC 3501 6.4.4: [MIME-IMB] content transfer encodings, and [MIME-HDRS] strings in [RFC-2822]/[MIME-IMB] headers, MUST be decoded "
        "before comparing text in a [CHARSET] other than US-ASCII"),
    "message-global": (
        "takes message/global for a leaf",
        "RFC 6532 3.7: The content of a message/global part is otherwise identical to that of a message/rfc822 part."),
    # Header.
    "cr-before-crlf": (
        "leaves a CR before CRLF out of chosen fields, though not out of the header",
        "RFC 3501 6.4.5: The HEADER, HEADER.FIELDS, and HEADER.FIELDS.NOT part specifiers refer to the [RFC-2822] header of the message"),
    "blank-line": (
        "leaves out the blank line, if it answers from its cache, where the message ends within a field",
        "RFC 3501 6.4.5: Subsetting does not exclude the [RFC-2822] delimiting blank line between the header and the body; the blank line "
        "is included in all header fetches, except in the case of a message which has no body and no blank line."),
    "partial-behind-cr": (
        "counts a CR that belongs to no line end twice when it looks for an offset",
        "RFC 3501 7.4.2: this string is a substring of the entire body contents, starting at that origin octet."),
    "white-space-at-ends": (
        "keeps white space before and behind a date or message-id",
        "RFC 5322 3.2.2: Runs of FWS, comment, or CFWS that occur between lexical tokens in a structured header field are semantically "
        "interpreted as a single space character."),
    "address-obsolete": (
        "loses addresses in obsolete forms: empty elements, dots with white space around them, routes",
        "RFC 5322 4: Though these syntactic forms MUST NOT be generated according to the grammar in section 3, they MUST be accepted and "
        "parsed by a conformant receiver."),
    "address-broken": (
        "loses all addresses behind the first that keeps to no grammar, or that one; Culver goes on with the next",
        "RFC 7103 7.1: Messages including these variations ought to be rejected; where this is not possible, recommended internal "
        "interpretations are provided. (7.1.2 to 7.1.6: brackets, parentheses, commas and quotes; the address is kept in all of "
        "them.)"),
    "name-blank": (
        "shows a name of nothing but white space as an empty one, and sorts by it",
        "RFC 5957 3: If the resulting octet string is not the empty string, use it as the sort value for the address."),
    "name-nul": (
        "ends a field's name at a NUL",
        "RFC 5322 2.2: A field name MUST be composed of printable US-ASCII characters (i.e., characters that have values between 33 and 126, "
        "inclusive), except colon."),
    "first-address": (
        "sorts by the first field of the name, though that has no address",
        "RFC 5256 3: FROM [IMAP] addr-mailbox of the first \"From\" address."),
    # Transfer encodings.
    "binary-composite": (
        "decodes the parts within a multipart or message and changes their headers",
        "RFC 9051 6.4.5: Requests that the specified section be transmitted after performing decoding of the section's "
        "Content-Transfer-Encoding."),
    "encoding-folded": (
        "does not read a transfer encoding that stands behind a fold",
        "RFC 5322 2.2.3: Each header field should be treated in its unfolded form for further syntactic and semantic evaluation."),
    "encoding-twice": (
        "shows the first of two transfer encodings in BODYSTRUCTURE and decodes by the last",
        "RFC 9051 6.4.5: Requests that the specified section be transmitted after performing decoding of the section's "
        "Content-Transfer-Encoding."),
    "header-cut": (
        "reads on behind a delimiter that ends a part within its header, and takes a transfer encoding there for the part's",
        "RFC 2046 5.1.1: Boundary string comparisons must compare the boundary value with the beginning of each candidate line."),
    "binary-size-of-others": (
        "gives no size of a part where another part cannot be decoded",
        "RFC 9051 6.4.5: Requests the decoded size of the section (i.e., the size to expect in response to the corresponding FETCH BINARY "
        "request)."),
    "binary-size-wrong": (
        "gives a size that its own BINARY has not",
        "RFC 9051 6.4.5: Requests the decoded size of the section (i.e., the size to expect in response to the corresponding FETCH BINARY "
        "request)."),
    "base64-broken": (
        "gives up at the first octet that base64 has not",
        "RFC 2045 6.8: All line breaks or other characters not found in Table 1 must be ignored by decoding software."),
    "quoted-printable-broken": (
        "gives up at an = that nothing follows which quoted-printable has",
        "RFC 2045 6.7: A reasonable approach by a robust implementation might be to include the \"=\" character and the following "
        "character in the decoded data without any transformation"),
    "encoding-unknown": (
        "does not look into parts of an unknown transfer encoding; Culver reads them as they stand",
        "RFC 9051 6.4.4: Servers are allowed to implement flexible matching for this search key. (FETCH BINARY refuses, as RFC 2045 "
        "6.4 wants it; but such text is mostly 7bit or 8bit with its name misspelt, and a message too many is found sooner than one "
        "that is lost.)"),
    "encoding-empty": (
        "calls an empty transfer encoding an unknown one",
        "RFC 2045 6.1: \"Content-Transfer-Encoding: 7BIT\" is assumed if the Content-Transfer-Encoding header field is not present."),
    # Charsets.
    "charset-unknown": (
        "does not know this name of a charset",
        "RFC 3501 6.4.4: [MIME-IMB] content transfer encodings, and [MIME-HDRS] strings in [RFC-2822]/[MIME-IMB] headers, MUST be decoded "
        "before comparing text in a [CHARSET] other than US-ASCII"),
    "charset-held": (
        "loses the last character of a text in windows-1255 or windows-1258, which its library holds back for a mark that may follow",
        "RFC 3501 6.4.4: [MIME-IMB] content transfer encodings, and [MIME-HDRS] strings in [RFC-2822]/[MIME-IMB] headers, MUST be decoded "
        "before comparing text in a [CHARSET] other than US-ASCII"),
    "charset-invalid": (
        "reads octets that the charset has not, or only for controls, as they are not meant; Culver makes the best of them",
        "RFC 7103 7.6: When a character set error is detected, processing agents should: 1. apply heuristics to determine the most "
        "likely character set and, if successful, proceed using that information"),
    "raw-8bit": (
        "reads raw 8-bit text in header fields that is no UTF-8 as U+FFFD",
        "RFC 7103 7.7: Occurrences in unstructured text fields, comments, and phrases can be converted into encoded-words (see "
        "[MIME3] if a likely character set can be determined)."),
    "encoded-word-odd": (
        "leaves encoded words with a mistake as they stand where Culver makes the best of them, or the other way round",
        "RFC 2047 6.2: make a \"best effort\" to display using such characters as are available"),
    "search-beside": (
        "finds it only where other messages are searched by the same command, and agrees when asked for this one alone",
        "RFC 3501 6.4.4: Messages that contain the specified string in the body of the message."),
    # Dates.
    "date-missing": (
        "takes a message without a date for one of 1970",
        "RFC 3501 6.4.4: Messages whose [RFC-2822] Date: header (disregarding time and timezone) is earlier than the specified date."),
    "date-odd": (
        "reads no date where its form is not RFC 5322's",
        "RFC 5256 2.2: If the time zone is invalid, the date and time SHOULD be treated as UTC.  If the time is also invalid, the "
        "time SHOULD be treated as 00:00:00. SENTBEFORE, SENTON and SENTSINCE go by the day by which the message is sorted."),
    "date-epoch": (
        "takes a date that is not after the beginning of 1970 for none",
        "RFC 5256 2.2: As used in this document, the term \"sent date\" refers to the date and time from the Date: header, adjusted by "
        "time zone to normalize to UTC."),
    "date-undivided": (
        "reads no date where nothing stands between day, month and year",
        "RFC 5322 4.3: obs-day = [CFWS] 1*2DIGIT [CFWS]"),
    "date-obsolete": (
        "has rules of its own for years of other than four digits and for zones of letters",
        "RFC 5322 4.3: If a two digit year is encountered with a value between 50 and 99, or any three digit year is encountered, the year is "
        "interpreted by adding 1900."),
    "subject-spaces": (
        "compares subjects with the runs of white space that they have",
        "RFC 5256 2.1: Convert all tabs and continuations to space.  Convert all multiple spaces to a single space."),
    "name-spaces": (
        "compares names with the runs of white space that they have, though its ENVELOPE does not show them",
        "RFC 5957 4: A \"derived-addr\" value is created from the [IMAP] envelope structure resulting from a FETCH ENVELOPE on the message."),
    # Threads.
    "beside-odd": (
        "puts it elsewhere only because of other messages, which are odd: without these, both servers agree",
        "RFC 5256 2.2: the order in which the two messages appear in the mailbox (that is, by sequence number) is used as a tie-breaker"),
    "thread-ties": (
        "orders threads of one date by something else than their first message's number, where the first message is missing",
        "RFC 5256 2.2: When comparing two sent dates that match exactly, the order in which the two messages appear in the mailbox (that "
        "is, by sequence number) is used as a tie-breaker to determine the order."),
    "ids-odd": (
        "reads other ids where a field holds more than ids",
        "RFC 5256 3: Implementations of the REFERENCES threading algorithm MUST normalize any msg-id in order to avoid false non-matches "
        "due to differences in quoting."),
}
