"""Property tables of sales orders, their lines, and what sending makes of them."""

from __future__ import annotations

from simulators.poweroffice.fields import schema

ACCRUAL = schema(
    "Accrual",
    "Sales order line",
    """
    BalanceAccountAgricultureDepartment AgricultureDepartment RPU
    BalanceAccountId int RPU
    BalanceAccountNo int RPU
    FromDate date RPU
    IsActive bool RPU =false
    ResultAccountAgricultureDepartment AgricultureDepartment RPU
    ResultAccountId int RPU
    ResultAccountNo int RPU
    ToDate date RPU
    """,
)

ORDER = schema(
    "SalesOrder",
    "Sales order",
    """
    BrandingThemeCode str RP
    BrandingThemeId int RPU
    ContactDeliveryAddressId int RPU
    ContractNo str RPU
    CreatedDateTimeOffset datetime R
    CurrencyCode str RPU
    CurrencyExchangeRate float RPU
    CustomMatchingReference str RPU
    CustomerId int RPU
    CustomerNo int RP
    CustomerReference str RPU
    CustomerReferenceContactPersonId int RPU
    DeliveryDate date RPU
    DeliveryTerm str RP
    DeliveryTermId int RPU
    DepartmentCode str RP
    DepartmentId int RPU
    Dim1Code str RP
    Dim1Id int RPU
    Dim2Code str RP
    Dim2Id int RPU
    Dim3Code str RP
    Dim3Id int RPU
    ExternalImportReference str RPU
    Id uuid R
    ImportedOrderNo int RPU
    IsCreatedByCurrentIntegration bool R
    LastChangedDateTimeOffset datetime R
    LineCount int R =0
    LocationCode str RP
    LocationId int RPU
    NetAmount float R =0.0
    PaymentTerm int32 RP
    PaymentTermId int RPU
    ProjectCode str RP
    ProjectId int RPU
    PurchaseOrderReference str RPU
    RelatedInvoiceNo int RPU
    SalesOrderDate date RPU
    SalesOrderNo int R
    SalesOrderStatus OrderStatus RPU ="Draft"
    SalesPersonEmployeeId int RPU
    SalesPersonEmployeeNumber int RP
    TotalAmount float R =0.0
    SalesOrderLines object P
    """,
)

ORDER_LINE = schema(
    "SalesOrderLine",
    "Sales order line",
    """
    Accrual object RPU
    Allowance percent RPU
    DepartmentCode str RP
    DepartmentId int RPU
    Description str RPU
    Dim1Code str RP
    Dim1Id int RPU
    Dim2Code str RP
    Dim2Id int RPU
    Dim3Code str RP
    Dim3Id int RPU
    ExternalImportReference str RPU
    Id uuid R
    LineType VoucherLineType RPU ="Normal"
    LocationCode str RP
    LocationId int RPU
    NetAmount float R =0.0
    ProductCode str RP
    ProductId int RPU
    ProductUnitCost float RPU
    ProductUnitPrice float RPU
    ProjectCode str RP
    ProjectId int RPU
    Quantity float RPU
    SalesOrderId uuid R
    SellersReferenceEmployeeId int RPU
    SellersReferenceEmployeeNo int RP
    SortOrder int32 RPU
    TotalAmount float R =0.0
    UnitOfMeasureCode UnitOfMeasureType RPU
    UseStandardSalesAccount bool RPU
    VatAmount float R =0.0
    VatCode str R
    VatId int32 R
    VatRate float R
    VatReturnSpecification VatReturnSpecification RPU
    """,
    {"Accrual": ACCRUAL},
)

INVOICE = schema(
    "OutgoingInvoice",
    "Outgoing invoice",
    """
    Balance float R
    BalanceLastChangedDateTimeOffset datetime R
    BrandingThemeCode str R
    BrandingThemeId int R
    Cid str R
    ContractNo str R
    CreatedDateTimeOffset datetime R
    CurrencyCode str R
    CurrencyExchangeRate float R
    CustomMatchingReference str R
    CustomerId int R
    CustomerNo int R
    CustomerReference str R
    CustomerReferenceContactPersonId int R
    DeliveryAddress1 str R
    DeliveryAddress2 str R
    DeliveryAddressCity str R
    DeliveryAddressCountryCode str R
    DeliveryAddressZipCode str R
    DeliveryDate date R
    DeliveryTerm str R
    DeliveryTermId int R
    DepartmentCode str R
    DepartmentId int R
    Dim1Code str R
    Dim1Id int R
    Dim2Code str R
    Dim2Id int R
    Dim3Code str R
    Dim3Id int R
    DueDate date R
    ExternalImportReference str R
    Id uuid R
    ImportedOrderNo int R
    InvoiceDeliveryType InvoiceDeliveryType R
    InvoiceNo int R
    IsCreatedByCurrentIntegration bool R
    IsReversed bool R =false
    LastChangedDateTimeOffset datetime R
    LocationCode str R
    LocationId int R
    MatchId int R
    NetAmount float R =0.0
    NetPostedAmount float R =0.0
    OrderDate date R
    OrderNo int R
    PaymentTerm int32 R
    PaymentTermId int R
    ProjectCode str R
    ProjectId int R
    PurchaseOrderReference str R
    RelatedInvoiceNo int R
    SellersReferenceEmployeeId int R
    SellersReferenceEmployeeNo int R
    SentDateTimeOffset datetime R
    TotalAmount float R =0.0
    TotalPostedAmount float R =0.0
    VoucherDate date R
    VoucherNo int R
    VoucherType OutgoingInvoiceVoucherType R
    """,
)

INVOICE_LINE = schema(
    "OutgoingInvoiceLine",
    "Outgoing invoice",
    """
    AccountId int R
    AccountNo int R
    AgricultureDepartment AgricultureDepartment R
    Allowance percent R
    DepartmentCode str R
    DepartmentId int R
    Description str R
    Dim1Code str R
    Dim1Id int R
    Dim2Code str R
    Dim2Id int R
    Dim3Code str R
    Dim3Id int R
    ExternalImportReference str R
    Id int R
    IsAccrued bool R
    LineType VoucherLineType R
    LocationCode str R
    LocationId int R
    NetAmount float R =0.0
    NetPostedAmount float R =0.0
    ProductCode str R
    ProductId int R
    ProductUnitCost float R
    ProductUnitPrice float R
    ProjectCode str R
    ProjectId int R
    Quantity float R
    SellersReferenceEmployeeId int R
    SellersReferenceEmployeeNo int R
    SortOrder int32 R
    TotalAmount float R =0.0
    TotalPostedAmount float R =0.0
    UnitOfMeasureCode UnitOfMeasureType R
    VatAmount float R =0.0
    VatCode str R
    VatId int32 R
    VatRate float R
    VatReturnSpecification VatReturnSpecification R
    """,
)

SEND_REQUEST = schema(
    "SendInvoiceRequest",
    "Sales order",
    """
    DeliveryType SendInvoiceDeliveryType RPU
    EmailAddress email RPU
    Id uuid R
    OverrideDueDate date RPU
    VoucherDate date RPU
    """,
)
