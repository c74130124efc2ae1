"""What we say of a record, as a code with its arguments, so that whoever shows it can do so in a
reader's own language.

Wherever a message holds such a sentence, it holds the English words too: for logs, for `kcat`, and
for a release that does not know the code. What a vendor said has no code; it stands in its own
words as an argument `why`, and is quoted where it is shown.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sentence: a code of SENTENCES, and what stands in its places, each a text or sentences in
    turn."""

    code: str
    args: "dict[str, str | list[Said]]" = {}


class SaidError(Exception):
    """An error that says why in sentences, `said`; its text is their English."""

    def __init__(self, *said: Said) -> None:
        super().__init__(english(*said))
        self.said = said


# The linker's reasons, the books, then what the adapters cannot read or write.
SENTENCES: Mapping[str, str] = {
    "first_snapshots": "waits for the first snapshot of both systems",
    "reference_unshown": "its reference names {reference}, which {system} has not shown",
    "twin_in_creation": "{key} is being created and may be its twin",
    "twin_in_flight": "{key} has a command in flight",
    "twins_unshown": ("{system} {ids} looks like the same {entity}; decided when it has been read"),
    "twins_edited": "{keys} looked like the same {entity} and was edited since",
    "beside_sale": "another order of the invoice that order {key} stands for",
    "create_off": "create.{name}.to_{target} is off",
    "unreferenced": "no order in scope refers to it",
    "id_taken": "Chargebee {id}, the id its twin would get, is another record",
    "bare": "{why}",
    "customer_deleted": (
        "customer {id} is deleted in Chargebee, for good: bill it there under another customer, or "
        "keep the order out"
    ),
    "customer_archived": ("customer {id} is archived in Go: take it out of the archive there"),
    "needs_unknown": "{entity} {id} is not known yet",
    "needs": "{entity} {id} is {state}",
    "needs_why": "{entity} {id} is {state}: {why}",
    "stale_thrice": "{system} refused the same plan three times as stale",
    "queued": "planned; waits for its turn",
    "would": "would {op} in {system}",
    "breaker": "breaker: more than usual; release or discard {batch}",
    "paused": "{entity} to {system} is paused",
    "observe": "observe",
    "first_backfill": "first backfill: release it with tandem held release",
    "paid_already": (
        "paid in Chargebee already, and Go would ask for the money again: "
        "tandem held release order --batch paid, or order.paid = carry"
    ),
    "of_field": "{field}: {why}",
    "no_content": "the record has no content",
    "aside": "{why}",
    "sent": "sent from Go as invoice {number}",
    "kinds_differ": "one side is a person and the other a company",
    "parked": "{system}: {why}",
    "unreachable": "not reachable",
    "suspect": (
        "{fields}: what an earlier write of ours held stands in Chargebee again: a late request of "
        "ours, or somebody who entered it again; settle it, or redrive it to take it as an edit"
    ),
    "gone_not_carried": "deleted or archived in {system}; not carried to {other}",
    "confirmed_locked": "confirmed in Go, so its header is locked",
    "deleted_in": "deleted in {system}",
    "cancelled_in": "cancelled in {system}",
    "reported": "reported, not carried",
    "edited_though_deleted": "deleted in {system}, but {fields} changed in {other}",
    "edited_though_cancelled": "cancelled in {system}, but {fields} changed in {other}",
    "edited_though_gone": (
        "{fields} changed in {other}, but the record is deleted or archived in {system}"
    ),
    "gone_on_both": "gone on both sides",
    "credit_note_of": (
        "a credit note, which is never carried; it names invoice {number}, against which it counts"
    ),
    "credit_note_bare": "a credit note, which is never carried; it names no invoice",
    "gone_alone": "deleted, archived or cancelled records are never created elsewhere",
    "invoice_void": ("its invoice is void or reversed, so no document is made of it elsewhere"),
    "draft_in_go": "a draft in Go; taken over when {state}",
    "linked_elsewhere": "its reference names {key}, which is linked to another record",
    "other_role": "the Go contact has another role too; an operator links it",
    "bare_reference": "a reference without our prefix equals the id",
    "same_party": "another record has the same e-mail, name and kind",
    "same_email": "the e-mail is equal, but name, kind or organisation number differ",
    "not_unique": "the {what} {value} is that of another {entity} too",
    "twin_refers": "the {what} is equal, but {key} refers to {reference}",
    "twin_shares": "the {what} is equal, but {key} shares {value} with another record",
    "other_source": "order.source is {source}, and this is one of Chargebee's {of}",
    "in_go_already": "invoice {number} stands in Go already, as {keys}",
    "returned_another": ("{system} returned {id}, but {known} had joined by its reference"),
    "returned_twice": "{system} {entity} of {key} was returned for {other} too",
    "refused": "{system} refused: {why}",
    "refused_bare": "refused without a reason",
    "field_held_back": "held back from {system}: {why}",
    "field_incomplete": ("not carried: the {field} in {system} lacks {lacking}; complete it there"),
    "discarded": "an operator discarded: {op} in {system}",
    "parted": (
        "unlinked by an operator; link it, or redrive it to let it be matched or created anew"
    ),
    "unknown_tenant": "no settings for tenant {tenant}",
    "stands_still": "the tenant stands still: {why}",
    "observes": "the tenant observes",
    "too_many_bytes": (
        "{what} has {count} bytes, and messages have at most {most}: shorten its texts or split "
        "it, or raise kafka.max_message_bytes"
    ),
    "no_unicode": (
        "{what} holds text that is no Unicode, near {value}: type it anew in the system it comes "
        "from"
    ),
    # the books
    "document_order": "order {number}",
    "document_invoice": "invoice {number}",
    "document_order_invoice": "order {number}, invoice {invoice}",
    "document_with_notes": "{document}, credit note {notes}",
    "document_credit_note": "credit note {number}",
    "invoiced_twice": "invoiced in Chargebee ({ours}) and again in Go ({theirs})",
    "credit_in_go": "credit {amount} in Go",
    "credit_in_go_unless": (
        "credit {amount} in Go, or settle this where Go's invoice is the one that stands"
    ),
    "back_to_draft": "set it back to Draft in Go and correct it",
    "credited_here": "credited in Chargebee ({ours}), {state} in Go ({theirs})",
    "void_here": "void in Chargebee ({ours}), {state} in Go ({theirs})",
    "cancelled_here": "cancelled in Chargebee ({ours}), {state} in Go ({theirs})",
    "credited_there": ("credited in Go ({theirs}) by {parts}, and not in Chargebee ({ours})"),
    "reversed_there": ("credited in Go ({theirs}) by the reversal, and not in Chargebee ({ours})"),
    "credit_in_chargebee": "credit {amount} in Chargebee",
    "paid_but_open": ("paid in Chargebee ({ours}), and Go's {theirs} is still to be paid"),
    "register_payment": "register the payment in Go",
    "currency_differs": ("the currency differs: {ours} in Chargebee and {theirs} in Go"),
    "enter_in_currency": "enter the order in Go in its own currency",
    "money_differs": "{parts}",
    "money_differs_credited": "{parts}; {amount} apart after what was credited",
    "sum_differs": "{what} {ours} in Chargebee and {theirs} in Go",
    "look_which": "look which side is right, and correct or credit the other",
    "line_vat": "{line}: VAT {ours} in Chargebee and {theirs} in Go",
    "bare_line_vat": "a line: VAT {ours} in Chargebee and {theirs} in Go",
    "vat_differs": "{lines}, with equal totals",
    "vat_differs_more": "{lines} and {count} more, with equal totals",
    "correct_vat": ("correct the product's sales account in Go, or its tax in Chargebee"),
    "not_whole": "the orders of Chargebee invoice {number} hold {part} of its {amount}",
    "rest_in_no_order": (
        "the rest is in no order and does not reach Go: enter it there, or let Chargebee put lines "
        "without shipment into orders (order.source = invoices carries whole invoices)"
    ),
    "dropped_vat_number": (
        "the customer's VAT number is not carried to Go, since it is no Norwegian organisation "
        "number"
    ),
    "enter_vat_number": (
        "enter it in Go if the sale is to be invoiced under it, and check the VAT of its orders"
    ),
    "dropped_round_off": "the round-off of the Chargebee invoice is on no line",
    "set_round_off": "set order.round_off_product to carry it, or post the difference",
    # what Chargebee cannot take, and what of it cannot be read
    "no_organisation_number": (
        "{value} is no Norwegian organisation number; correct it in PowerOffice Go"
    ),
    "address_needs": (
        "an address in Chargebee needs a city and a zip; fill them in PowerOffice Go"
    ),
    "company_needs_name": "a company needs a name; fill Name in PowerOffice Go",
    "too_long_for_chargebee": (
        "Chargebee's {param} holds {most} characters, this has {count}; shorten it in PowerOffice "
        "Go"
    ),
    "description_too_long": (
        "Chargebee's description shows {most} characters, this has {count}; shorten it in "
        "PowerOffice Go"
    ),
    "never_deleted_in_chargebee": (
        "a {entity} of Chargebee is never deleted: a person does that there"
    ),
    "chargebee_refuses": "Chargebee refuses it ({why}); correct it in PowerOffice Go",
    "lines_miss_total": "the lines miss the total by {amount}",
    "credit_not_imported": (
        "a credit note cannot be imported into Chargebee; enter it there by hand"
    ),
    "order_lacks": "the order has no {what}; fill it in PowerOffice Go",
    "order_lacks_lines": (
        "the order has no lines that can be carried; Chargebee's invoices need one"
    ),
    "order_currency_unknown": (
        "the order's currency {value} is none of ISO 4217; correct it in PowerOffice Go"
    ),
    "amount_too_large": "{amount} is more than an amount can be; correct it in PowerOffice Go",
    "amount_too_fine": (
        "{amount} has more than the {count} decimals of the currency; correct it in Go"
    ),
    "net_on_no_line": (
        "the lines come to {lines} without VAT, the order says {net}: {amount} stands on no line; "
        "enter the invoice there by hand"
    ),
    "line_odd_vat": "line {number} has {tax} VAT on {net}; enter the invoice there by hand",
    "no_discount": (
        "line {number} of {net} and {tax} VAT cannot be a discount in Chargebee: the other lines "
        "with {rate} % VAT come to {amount}; enter the invoice there by hand"
    ),
    "no_discount_untaxed": (
        "line {number} of {net} and {tax} VAT cannot be a discount in Chargebee: the other lines "
        "with no VAT come to {amount}; enter the invoice there by hand"
    ),
    "order_is_credit": (
        "order.total is {amount}: a credit is no sale; credit it in PowerOffice Go by hand"
    ),
    "order_without_lines": (
        "order.total is {amount}, but order.order_line_items is empty; enter the order by hand"
    ),
    "order_net_apart": (
        "order.order_line_items come to {lines} without tax, order.total less order.tax is {net}: "
        "{amount} stands on no line; enter the order by hand"
    ),
    "order_tax_apart": (
        "order.tax is {tax}, the tax_amount of order.order_line_items comes to {lines}; enter the "
        "order by hand"
    ),
    "currency_code_missing": (
        "order.currency_code is missing in Chargebee; amounts have no meaning without it"
    ),
    "currency_code_unknown": (
        "order.currency_code is {value} in Chargebee, which is no currency of ISO 4217: how much "
        "order.total {amount} is cannot be told; enter the order by hand"
    ),
    "order_resent": ("order.original_order_id: a resend of order {id} is reported, never carried"),
    "order_too_long": (
        "order.order_line_items holds {count} lines, more than {most}; enter it by hand"
    ),
    "price_unknown": (
        "order.order_line_items.entity_id {id} is no item price of the site any more; its product "
        "is not known, so enter the order by hand"
    ),
    "unreadable_in_chargebee": (
        "{name} in Chargebee cannot be read ({why}); correct the record there"
    ),
    "product_needs_name": "a product needs a name; fill it in PowerOffice Go",
    "price_currency": (
        "a price in {currency} is not carried, only one in {ledger}; enter it by hand"
    ),
    "price_not_plain": (
        "the item has not exactly one plain price in {currency}; change its prices in Chargebee"
    ),
    "price_negative": ("Chargebee holds no negative prices; correct the price in PowerOffice Go"),
    "price_gross": ("the site's prices are gross and no VAT rate is known; set product.vat_rate"),
    "item_type": "item.type in Chargebee is {value}; only plan, addon and charge are carried",
    "unaddressable": (
        "the id {id} of Chargebee's {resource} cannot be asked for: {reason}; choose another id "
        "there"
    ),
    "id_too_long": "it has {count} characters, more than the {most} that Chargebee allows",
    "id_blank": "it is empty or has blanks at an end, which Chargebee trims",
    "id_control": "it holds a control character",
    "id_path": "a part between two '/' is empty, '.' or '..', which is dropped on the way",
    "id_operation": "{value} at its end is the name of an operation",
    "deleted_in_chargebee": (
        "{entity} {id} was deleted in Chargebee and is not written to or made again"
    ),
    "stamp_taken": "{entity} {id} already refers to {reference}",
    "not_stampable": ("an order in Chargebee takes no reference; it is stamped in PowerOffice Go"),
    "invoice_final": ("not written: an invoice in Chargebee is final; credit or void it there"),
    # what Go cannot take, and what of it cannot be read
    "too_long_for_go": (
        "it has {count} characters, and {name} in PowerOffice Go takes {most}; shorten it in "
        "Chargebee"
    ),
    "address_not_cleared": ("an address in PowerOffice Go is not cleared; remove it there by hand"),
    "go_address_lacks": (
        "PowerOffice Go takes no address without {fields}; fill it in in Chargebee"
    ),
    "go_refuses": "PowerOffice Go refuses it ({why}); correct it in Chargebee",
    "no_reference_in_go": "a {entity} of PowerOffice Go has no reference to write into",
    "reference_not_ours": (
        "ExternalImportReference holds {reference}, which is not ours to replace"
    ),
    "never_deleted_in_go": "a {entity} of PowerOffice Go is archived, never deleted",
    "go_keeps_no": (
        "PowerOffice Go keeps no {field} for a {kind}; the kind of a customer is not changed"
    ),
    "go_needs": "PowerOffice Go needs {what} ({name} is blank); fill it in in Chargebee",
    "go_names_blank": (
        "Go FirstName and LastName are blank; fill them in on the contact in PowerOffice Go"
    ),
    "go_name_blank": "Go Name is blank; fill it in on the contact in PowerOffice Go",
    "role_archived_too": (
        "the contact has another role in Go (supplier or employee), which archiving would hit too"
    ),
    "go_no_date": "PowerOffice Go sent a {name} that is no date; correct it in Go",
    "go_order_too_long": (
        "the order has {count} lines; at most {most} are carried, so split it in Go"
    ),
    "unreadable_in_go": "PowerOffice Go sent a {name} that cannot be read; correct it in Go",
    "go_price_currency": (
        "the price is in {currency}, and PowerOffice Go holds prices in {ledger} only"
    ),
    "go_no_unit": "PowerOffice Go has no unit {value}; choose one of its list in Chargebee",
    "go_product_needs_name": "PowerOffice Go needs a product name; name the item in Chargebee",
    "item_lacks_code": "the item has no code; give it an id or a sku in Chargebee",
    "no_group": (
        "no Go product group for item family {family}, which carries account and VAT; set "
        "product.groups for this family"
    ),
    "go_product_name_blank": ("Go Name of the product is blank; fill it in in PowerOffice Go"),
    "code_shared": "{count} Go products have the code {value}; give the others another code",
    "setting_needs_one": "{count} Go products have the code {value}; {name} needs one",
    "order_locked": (
        "the order is Confirmed and so locked; set it back to Draft in PowerOffice Go"
    ),
    "line_net": "{line}: the net amount {amount}",
    "line_tax": "{line}: the tax {amount}",
    "order_amount": "the order's {field} amount {amount}",
    "quantity_too_large": (
        "{line}: the quantity {value} has {count} digits, and PowerOffice Go keeps {most}; "
        "correct the quantity in Chargebee, or invoice this order by hand"
    ),
    "too_many_digits": (
        "{what} has {count} digits, and PowerOffice Go keeps {most}; correct the order in "
        "Chargebee, or invoice it by hand"
    ),
    "too_many_decimals": (
        "{what} needs more than the two decimals that PowerOffice Go keeps; invoice this order by "
        "hand"
    ),
    "total_is_credit": (
        "the order's total is {amount}: it is a credit, which is not carried; credit the invoice "
        "in PowerOffice Go by hand"
    ),
    "total_without_lines": (
        "the order's total is {amount}, but it has no lines; correct it in Chargebee"
    ),
    "not_adding_up": (
        "the lines add up to {lines}, but the order's net amount is {net} ({list}); correct the "
        "order in Chargebee"
    ),
    "order_names_no_customer": "the order names no customer that is known in Go",
    "no_go_id": "{value} is no id of PowerOffice Go",
    "line_without_product": (
        "{line} has no product; set {name} to the code of a Go product for such lines"
    ),
    # what the console makes of them when they are shown
    "unheld": "nothing holds it any more",
    "held_as": "held as {batch}",
    "observe_unset": "observe (not set: {names})",
    "observe_stopped": "observe (stopped: {why})",
    "under_way": "{op} in {system} is under way",
    "under_way_since": "{op} in {system} is under way since {at}",
    "in_trouble": "{system} is in trouble: {why}",
    "asked_again": "{system} is asked again within {within}",
    "read_again": "{system} is read again within {within}",
    "snapshots_complete": "both first snapshots of {entity}s are complete",
    "first_snapshot": "waits for the first snapshot of {entity}s in {system}: {why}",
    "incomplete": "not complete yet",
    "not_before": "not complete yet, and not before {at}",
    "more": "and {count} more",
    "obstacle_gone": "what it waited for is there",
    "obstacle_read": "what it waited for has been read",
    "waits_unread": "waits for a record that has not been read",
    "waits_on": "waits on {name}",
    "twin_under_way": "{called} may be its twin, and {why}",
    "record_unknown": "{entity} {id} of {system} is not known yet",
    "other_is": "{called} is {state}",
    "other_is_why": "{called} is {state}: {why}",
    "called_archived": "{called} is archived in Go: take it out of the archive there",
    "parked_bare": "parked",
    "sent_when_it_answers": "it is sent when {system} answers",
    "no_trouble_now": "nothing is known to be wrong with {system} now",
    "looked_at_again": (
        "the linker looks at it again when one of its records changes, and at once with tandem "
        "redrive --entity {entity_name} --key {key}"
    ),
    "looked_at_again_or_start": (
        "the linker looks at it again when one of its records changes, or the linker starts, and "
        "at once with tandem redrive --entity {entity_name} --key {key}"
    ),
    "foreseen_company": ("Go needs a company name; fill it in in Chargebee"),
    "foreseen_names": ("Go needs first and last name of a person; fill them in in Chargebee"),
    "foreseen_company_in_go": ("a company needs a name; fill it in in Go"),
    "foreseen_product": ("Go needs a product {what}; fill it in in Chargebee"),
    "foreseen_too_long": (
        "the {what} has {count} characters, and Go takes {most}; shorten it in Chargebee"
    ),
    "foreseen_group": (
        "no Go product group for item family {family}: set product.groups for this family"
    ),
    "foreseen_product_in_go": ("a product needs a name; fill it in in Go"),
    "foreseen_credit": ("a credit is not carried; credit the invoice in Go by hand"),
    "foreseen_no_lines": ("the order has a total and no lines; correct it in Chargebee"),
    "foreseen_no_product": (
        "a line has no product; set {name} to the code of a Go product for such lines"
    ),
    "foreseen_lacks": ("the order has no {what}; fill it in in Go"),
    "foreseen_currency": ("the currency {value} is none of ISO 4217; correct it in Go"),
    "batch": "{batch}: {op} {count} x {entity} in {system}",
    "letter_of": "rejected: {why}",
    "letter_of_field": "rejected: {field}: {why}",
    "keep_one": "changed on both sides; keep one",
    "asked_fields": "{fields}: changed on both sides; both values stand until one is kept",
    "called": "{name}",
    "called_of": "{name} of {customer}",
    "called_of_bare": "of {customer}",
    "called_total": "{called}, {total}",
    "called_total_bare": "{total}",
    "record_called": "{entity} {called} ({key})",
    "record_bare": "{entity} {key}",
    "switch_breaker": "more {entity} {kind} than usual: held as {batch}",
    "switch_stopped": "stopped: {why}",
    "switch_account": "stopped: another {system} account, {found} in place of {pinned}",
    "switch_run": "{kind} {id} is {state}",
    "account_other": "another {system} account",
    "run_figures": "{parts}",
    "figure": "{what} {count}",
    "run_none": "no record",
    "run_read": "{count} records read",
    "run_left": "{system}/{entity} not complete",
    "drift_matched": "matched {parts}",
    "drift_matched_none": "matched nothing",
    "drift_counts": "different {different}, missing {missing}, extra {extra}",
    "drift_alone": "unlinked for a reason {count}",
    "drift_listed": "listed {count}",
    "drift_known": "known, left to a person",
    "count_of": "{count} {what}",
    "finding_counted": "{count} finding ({parts})",
    "findings_counted": "{count} findings ({parts})",
    "at_stake": "at stake {parts}",
    "amount": "{total}",
    "finding_brief": "{kind}: {why}",
    "finding_brief_money": "{kind}, {total}: {why}",
    "state_bare": "{state}",
    "state_why": "{state}: {why}",
    "order_unknown": "not known yet: if it stays so, tandem reconcile --entity order --repair",
    "source_changed": (
        "order.source is {source}, but {count} linked orders are {before} of Chargebee, the last "
        "of {date} ({key}), and would be made in Go again; set order.source back to {before}, or "
        "start.orders to a day after {date}, and restart the services"
    ),
    "source_changed_undated": (
        "order.source is {source}, but {count} linked orders are {before} of Chargebee, the last "
        "of an unknown date ({key}), and would be made in Go again; set order.source back to "
        "{before}, or start.orders to a day after all of them, and restart the services"
    ),
    "refused_absent": "there is no {entity} link '{key}'",
    "refused_key_alone": "a key needs the entity",
    "refused_unnamed": "name the field that differs, or the finding",
    "refused_no_difference": "{field} is no listed difference of {key}; there are: {fields}",
    "refused_unlinked": "{key} is not linked",
    "refused_unwritten": "{field} is never written to {system}",
    "refused_lines": (
        "only the lines of a draft in Go whose order was born in Chargebee can be restored"
    ),
    "refused_ranges": "ranges name topics: {list}",
    "refused_orders": "orders are not read: start.orders is not set",
    "refused_second_run": "{kind} {id} is {state}; wait for it or cancel it first",
    "refused_run_state": "{kind} {id} is {state}",
    "refused_not_paused": "{kind} {id} is {state}, not paused",
    "refused_rebuild": (
        "a rebuild is not cancelled: until both systems have been read there is no map to go back "
        "to"
    ),
    "refused_no_run": "no run is under way",
    "refused_other_run": "the run under way is {id}",
    "refused_linked": "{key} links them already",
    "refused_taken": "{system} {id} is linked to {other} {twin}; unlink it first",
    "refused_in_flight": "{key} has a command in flight; try again when it is answered",
    "refused_entity": "there is no entity '{value}'; there are: {list}",
    "refused_no_choice": "name the candidate, or say that it is none of them: new",
    "refused_no_candidate": "{candidate} is no candidate of {key}; there are: {list}",
    "refused_linked_already": (
        "{candidate} is linked already: say --new if {key} is another, else merge them by hand"
    ),
    "refused_sides": (
        "one of the two must be a Chargebee record and the other one of Go, and neither linked"
    ),
    "refused_alike": "{key} is {state} and looks like no other record",
    "refused_reference": (
        "{key} is ambiguous by a reference: {why}; correct the reference, or pick one"
    ),
    "refused_undo": "there is no link, pick or unlink {id} to undo",
    "refused_sent": "{key} was sent; a sent order stays linked",
    "refused_batch": "{entity} has no held batch '{batch}'; there are: {list}",
    "refused_unseen": "{batch} holds {count} by now, and {seen} were shown; look again",
    "refused_not_deleted": "{system} still has {entity} {id}; delete it there first",
    "refused_no_finding": "{key} has no finding {kind}; there are: {fields}",
    "refused_other_finding": "{kind} of {key} says something else by now: {why}",
    "refused_remark": "remark says in 1 to {most} characters why nothing is left to do",
    "wrong_kind": "signal kind '{kind}' is not known",
    "wrong_form": "this page sends no signal '{kind}'",
    "wrong_missing": "the argument '{name}' is missing",
    "wrong_missing_in": "the argument '{name}' is missing in {where}",
    "wrong_unknown": "{kind} takes no argument '{name}'; it takes: {fields}",
    "wrong_value": "there is no {field} {value}; there are: {list}",
    "wrong_fit": "the argument '{name}' does not fit: {why}",
    "unknown_record": "no {entity} '{key}' is known of {tenant}; try: tandem links find TEXT",
    "unknown_any": "no record '{key}' is known of {tenant}; try: tandem links find TEXT",
    "unknown_in": "no {entity} '{key}' of {system} is known of {tenant}",
    "unknown_finding": "{entity} {key} has no finding {kind}; there are: {fields}",
    "unknown_letter": "there is no dead letter '{id}'; tandem letters shows them",
    "unknown_run": "there is no dry run '{id}' that is done",
    "letter_lost": (
        "the message of the letter about {key} is not kept at {place}; tandem redrive names the "
        "link"
    ),
    "time_offset": (
        "{value} is an offset: give a time such as 2026-11-28T10:00, or a span such as 2h or 3d "
        "(ago)"
    ),
    "time_wrong": (
        "'{value}' is no time: give a time such as 2026-11-28T10:00, or a span such as 2h or 3d "
        "(ago)"
    ),
    "time_or_offset_wrong": (
        "'{value}' is no time: give a time such as 2026-11-28T10:00, a span such as 2h or 3d "
        "(ago), or an offset such as 1200"
    ),
    "range_entity": "an offset belongs to one topic: add --entity",
    "range_turned": "--to is not later than --from",
    "range_empty": "there is nothing in that range",
    "range_dropped": (
        "{topic} begins at offset {first}: what stood at {offset} is dropped; use reconcile instead"
    ),
    "range_compacted": (
        "events before {at} may be dropped from {topic}; take a later --from, or use reconcile, "
        "which reads both systems"
    ),
    "month_wrong": "'{value}' is no month: give it as 2026-11",
    "filter_name": "a filter has a name of at most {most} characters",
    "filter_many": "there are {most} filters already; delete one",
    "filter_wrong": "a filter has an entity and a state of the lists",
    "taken_gone": "it is settled meanwhile, or says something else; look again",
    "file_unwritable": "console.data: {name} cannot be written: {why}",
    "not_checked": "not checked: {why}",
    "kafka_unusable": "Kafka cannot be used",
    "kafka_answers": "answers at {place}",
    "kafka_late": "no answer from {place} within {within}",
    "kafka_unreached": "cannot be reached at {place}",
    "kafka_unreached_why": "cannot be reached at {place}: {why}",
    "kafka_unusable_at": "cannot be used at {place}: {why}",
    "start_kafka": (
        "start one (tandem kafka), or correct kafka.bootstrap and what else stands under [kafka]"
    ),
    "topics_amiss": "the topics are not as they should be",
    "topics_missing": "{count} of {most} do not exist ({list})",
    "create_topics": "tandem topics create; kafka.partitions is fixed from then on",
    "topics_right": "all {count} exist as they should",
    "topic_unreadable": "the topic {topic} cannot be read ({why})",
    "look_at_kafka": "look at Kafka's log, and at what may read with these credentials",
    "no_tenant": "none is configured",
    "add_tenant": "add a table [tenants.NAME] to tandem.toml; docs/settings.md",
    "decisions_made": "the {count} settings without a default are made",
    "decision_unmade": "{name} is not set, so {tenant} only observes. {meaning}",
    "set_setting": "set {name}",
    "pinned_none": "none yet; the first start pins the one behind the keys",
    "pinned_closed": "the keys open nothing; {id} is pinned",
    "pinned_same": "{id}, the one behind the keys",
    "pinned_other": (
        "{tenant} was connected to {id}, and these keys belong to {found}: nothing is read or "
        "written"
    ),
    "give_back_keys": "give back the right keys, or use another tenant name for the other account",
    "pinned_unasked": "{id}; whether the keys belong to it needs the keys",
    "needs_keys": "it needs keys, and there are none here",
    "check_with_keys": "run tandem doctor --tenant {tenant} where the keys are",
    "source_none": "none yet; the first start of the linker pins {source}",
    "source_same": "{source}, as order.source says",
    "source_other": (
        "{tenant} carries Chargebee's {before}, and order.source is {source}: a sale could be "
        "made in Go twice"
    ),
    "source_back": (
        "set order.source back to {before}, or start.orders to a day after the last linked order; "
        "the linker judges it when it starts"
    ),
    "no_time_left": "no time was left; run tandem doctor --tenant {tenant}",
    "port_free": "ports.{service} is 0, a free port at each start",
    "port_beats": "lives by its heartbeats, but nothing answers on {place}",
    "port_where": "look at ports.{service} and reach.{service}: where does it run?",
    "port_silent": "does not run: nothing answers on {place}",
    "start_it": "start it: {command}",
    "port_taken": "something else answers on {place}",
    "port_end": "end it, or set ports.{service}",
    "service_ready": "runs and is ready on {place}",
    "service_starts": "is about to work: {why}",
    "ask_again": "ask again in a moment",
    "service_waits": "is not ready: {why}",
    "see_runbook": 'docs/runbook.md, "A service ends or is not ready"',
    "next_correct_one": "correct the one thing marked above, then run tandem doctor again",
    "next_correct": "correct the {count} things marked above, then run tandem doctor again",
    "next_start": "start the services, then run tandem doctor again:",
    "next_command": "  {command}",
    "next_decide": "{tenant} observes: look at it with tandem status, then decide {names}",
    "next_plans": "{tenant} observes: read its plans with {plan}, then {mode}",
    "next_status": "{tenant} is in sync: tandem status shows how it stands",
    "slots_lacking": "{service} runs in slot {slots} only: nobody works for {names}",
    "slots_start": "start it in the slots that are missing: {command}",
    "slots_shared": (
        "{service} runs in slot {slots}: partition {list} is taken by more than one process"
    ),
    "slots_end": "end all but one of them: the one that began last works, the others wait",
    "finish_upgrade": "finish the upgrade: start it again from the release that is installed",
    "prefix_other": (
        "no service is heard of under '{prefix}'; services run with kafka.topic_prefix = "
        "'{other_prefix}' ({list})"
    ),
    "prefix_set": "set kafka.topic_prefix to theirs, or start the services with these settings",
    "service_problem": "{name}: {why}",
    "version_other": "{name} runs Tandem {version}, this command is {own}",
    "never_heard": "{service}: never heard of; {start}",
    "was_gone": "{name}: {why}; {start}",
    "for_tenants": "{told} (for {names})",
    "ended_at": "ended at {time}: {why}",
    "stopped_at": "was stopped at {time}",
    "silent_for": "not heard of for {within}, since {time}",
    "signal_untaken": "signal {id} ({kind}) of {tenant} by {by}: not taken since {time}",
    "signal_untaken_service": (
        "signal {id} ({kind}) of {tenant} by a service: not taken since {time}"
    ),
    "signals_more": "{count} more signals are not taken; --json lists all",
    "trouble": "{system} {what}: {why}",
    "both": "{first} and {last}",
    "starting": "starting",
    "restoring": "restoring its state",
    "kafka_mechanism": "Kafka at {place} does not know {value}",
    "kafka_mechanism_set": "set it to one that its listener has enabled",
    "kafka_nameless": "Kafka at {place} asks nobody for a name, and {value} gives one",
    "kafka_nameless_set": "set it to {value}, or kafka.bootstrap to the listener with SASL",
    "kafka_user": "Kafka at {place} refuses the user {name} ({value}): {why}",
    "kafka_user_set": (
        "correct kafka.sasl_username, or TANDEM_KAFKA__SASL_PASSWORD and what it holds"
    ),
    "kafka_deaf": "nothing listens on {place}",
    "kafka_tls": "Kafka at {place} speaks TLS, and {value} does not",
    "kafka_tls_set": "set it to {value} (with kafka.ssl_cafile where the authority is your own)",
    "kafka_plain": "Kafka at {place} does not speak TLS, and {value} does",
    "kafka_plain_set": "set it to {value}, or kafka.bootstrap to the listener with TLS",
    "kafka_who": "Kafka at {place} wants to know who asks, and {value} gives no name",
    "kafka_who_set": "set it to {value}, with kafka.sasl_mechanism, user and password",
    "kafka_untrusted": "the certificate of Kafka at {place} is not trusted: {why}",
    "kafka_named_set": "name the broker as its certificate does",
    "kafka_authorities": "{file} holds other authorities",
    "kafka_authority": "the system does not know it",
    "kafka_authority_set": "name the PEM file of the authority that signed it",
    "kafka_silent": "{place} does not answer",
    "kafka_closes": "{place} closes the connection",
    "kafka_away": "{place} cannot be reached: {why}",
    "topic_small": "topic {topic} has {name}={value}, kafka.max_message_bytes says {wanted}",
    "topic_small_set": "tandem topics create raises it, or set kafka.max_message_bytes lower",
    "topic_partitions": "topic {topic} has {value} partitions, kafka.partitions says {wanted}",
    "topic_partitions_set": "set kafka.partitions to what exists (it is fixed at creation)",
    "topic_config": "topic {topic} has {name}={value}, the topic table says {wanted}",
    "topic_config_set": "change it with kafka-configs or use another kafka.topic_prefix",
    "consumer_ended": (
        "a consumer of Kafka has ended, so nothing is taken any more; restart this process"
    ),
    "reading_topics": "reading the topics",
    "orders_unread": "not read: start.orders is not set",
    "health_unread": "not read yet",
    "kafka_unread": "Kafka cannot be read: {why}",
}


def say(code: str, **args: object) -> Said:
    """A sentence of SENTENCES; an argument is a sentence, several, or anything that has a text."""
    return Said(code, {name: _arg(value) for name, value in args.items()})


def _arg(value: object) -> "str | list[Said]":
    if isinstance(value, Said):
        return [value]
    if isinstance(value, list | tuple):
        return list(value)
    return str(value)


Shown = Callable[[str, str], str]  # of an argument its name and text: how it is shown


def worded(said: Said, sentences: Mapping[str, str], shown: Shown) -> str:
    """A sentence with its arguments in place. Raises KeyError for a code, and for an argument, that
    is not known."""
    args = {
        name: shown(name, value)
        if isinstance(value, str)
        else joined(value, sentences, shown, ", " if name == "parts" else "; ")
        for name, value in said.args.items()
    }
    return sentences[said.code].format_map(args)


def joined(
    said: Iterable[Said], sentences: Mapping[str, str], shown: Shown, mark: str = "; "
) -> str:
    """Several sentences as one text. Raises as `worded` does."""
    return mark.join(worded(each, sentences, shown) for each in said)


def english(*said: Said) -> str:
    """The words that stand beside a sentence on the topics."""
    return joined(said, SENTENCES, lambda _name, text: text)


def sentences_of(value: object) -> list[Said]:
    """The sentences that a fact holds as JSON; none where it has none, or not such as these."""
    try:
        return msgspec.convert(value, list[Said])
    except msgspec.ValidationError:
        return []


def within(said: Iterable[Said], most: int) -> list[Said]:
    """The first sentences whose English has at most this many characters together, and one at
    least."""
    kept: list[Said] = []
    for each in said:
        if kept and len(english(*kept, each)) > most:
            break
        kept.append(each)
    return kept
