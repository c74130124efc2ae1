"""Property tables of contacts. `SubLedgerNumberSeriesId` and the `...Code` twins exist in POST
only."""

from __future__ import annotations

from simulators.poweroffice.fields import schema

CONTACT_ADDRESS = schema(
    "ContactAddress",
    "Customer",
    """
    AddressLine1 str(200) RPU
    AddressLine2 str(200) RPU
    City str(100) RPU
    CountryCode country RPU ="NO"
    ExternalCode str(50) RPU
    Id int R
    LastChangedDateTimeOffset datetime R
    ZipCode str(50) RPU
    """,
)

ADDRESS = schema(
    "Address",
    "Contact person",
    """
    AddressLine1 str(200) RPU
    AddressLine2 str(200) RPU
    City str(100) RPU
    CountryCode country RPU ="NO"
    ZipCode str(50) RPU
    """,
)

CUSTOMER = schema(
    "Customer",
    "Customer",
    """
    Allowance percent RPU
    BillableRate float RPU
    ContactCreatedDateTimeOffset datetime R
    ContactGroupIds ids RPU =[]
    CreatedFromImportJournalId uuid R
    CurrencyCode str RPU ="NOK"
    CustomerCreatedDateTimeOffset datetime R
    CustomerSince date RPU
    DateOfBirth date RPU
    DeliveryTerm str RP
    DeliveryTermId int RPU
    DepartmentCode str RP
    DepartmentId int RPU
    DoNotAddLatePaymentFees bool RPU =false
    DoNotAddLatePaymentInterest bool RPU =false
    DoNotAutomatePaymentNotifications bool RPU =false
    EmailAddress email RPU
    ExternalImportReference str(50) RPU
    ExternalNumber int RPU
    FirstName str RPU
    Id int R
    InvoiceBrandingThemeCode str RP
    InvoiceBrandingThemeId int RPU
    InvoiceDeliveryType InvoiceDeliveryType RPU
    InvoiceEmailAddress email RPU
    InvoiceEmailAddressCC str RPU
    IsActive bool R =true
    IsArchived bool RPU =false
    IsPerson bool RPU =false
    IsVatFree bool RPU =false
    LastChangedDateTimeOffset datetime R
    LastName str RPU
    LegalName str RPU
    MailAddress object RPU
    Name str RPU
    NationalIdNumber str RPU
    NoticeOfDebtCollectionDeliveryType NoticeOfDebtCollectionDeliveryType RPU ="PdfByEmail"
    Number int RPU
    OrganizationNumber str RPU
    PaymentReminderEmailAddress email RPU
    PaymentTerm int32 RP
    PaymentTermId int RPU
    PhoneNumber str RPU
    ReminderDeliveryType ReminderDeliveryType RPU ="PdfByEmail"
    SalesPersonEmployeeId int RPU
    SalesPersonEmployeeNumber int RP
    SendPaymentReminders bool RPU =true
    SubledgerAccountId int R
    TransferToDebtCollectionAgency bool RPU =true
    UseInvoiceFee bool RPU =true
    WebsiteUrl str RPU
    SubLedgerNumberSeriesId uuid P
    """,
    {"MailAddress": CONTACT_ADDRESS},
)

CONTACT_PERSON = schema(
    "ContactPerson",
    "Contact person",
    """
    ContactId int R
    CreatedDateTimeOffset datetime R
    EmailAddress email RPU
    ExternalCode str(50) RPU
    FirstName str RPU
    Id int R
    IsActive bool RPU =true
    IsDefault bool RPU =false
    LastChangedDateTimeOffset datetime R
    LastName str RPU
    MailAddress object RPU
    PhoneNumber str RPU
    Title str RPU
    """,
    {"MailAddress": ADDRESS},
)
